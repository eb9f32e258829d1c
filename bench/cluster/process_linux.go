package cluster

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
)

// tied puts a child into a process group of its own, so that Ctrl-C in the terminal spares it and it is ended in order,
// and lets it die with its parent, so that a runner that is killed leaves nothing running. The kernel ties the latter to
// the parent's thread; Go ends a thread only if a goroutine locked to it ends, and none here is.
func tied() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// identify returns what tells a process from all others with its id, and whether it has ended and is only waited for.
func identify(pid int) (started string, ended bool, err error) {
	fields, err := stat(pid)
	if err != nil {
		return "", false, err
	}
	boot, err := bootID()
	return boot + "/" + fields[startTime], strings.Contains("ZX", fields[state]), err
}

// hung tells whether the process is stopped by a signal.
func (p *Process) hung() bool {
	fields, err := stat(p.PID)
	return err == nil && fields[state] == "T" && p.Alive()
}

// Fields of /proc/PID/stat after the name, which may hold anything.
const (
	state     = 0
	startTime = 19 // ticks since the host has started
)

// stat returns the fields of /proc/PID/stat after the name.
func stat(pid int) ([]string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) <= startTime {
		return nil, errors.New("/proc/PID/stat is not what it was")
	}
	return fields, nil
}

// bootID tells one start of the host from another, after which processes can have the same ids and ticks.
var bootID = sync.OnceValues(func() (string, error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(text)), err
})
