//go:build !linux

package cluster

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// tied puts a child into a process group of its own, so that Ctrl-C in the terminal spares it.
func tied() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// identify returns what tells a process from all others with its id, and whether it has ended and is only waited for.
func identify(pid int) (started string, ended bool, err error) {
	started, err = ps(pid, "lstart=")
	state, stateErr := ps(pid, "state=")
	if err == nil {
		err = stateErr
	}
	return started, strings.HasPrefix(state, "Z"), err
}

// hung tells whether the process is stopped by a signal.
func (p *Process) hung() bool {
	state, err := ps(p.PID, "state=")
	return err == nil && strings.HasPrefix(state, "T") && p.alive()
}

// ps asks the system for something about a process.
func ps(pid int, what string) (string, error) {
	out, err := exec.Command("ps", "-o", what, "-p", strconv.Itoa(pid)).Output()
	return strings.TrimSpace(string(out)), err
}
