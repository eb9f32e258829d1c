//go:build linux

package cluster

import (
	"os/exec"
	"syscall"
	"testing"
)

// TestHalt wants processes to stop and go on, but for one that somebody else has stopped, and one that has ended to be no error.
func TestHalt(t *testing.T) {
	var processes []*Process
	for range 3 {
		cmd := exec.Command("sleep", "60")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
		p, err := Identify(cmd.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		processes = append(processes, p)
	}
	runs, hangs, ended := processes[0], processes[1], processes[2]
	stopped := func(p *Process) func() bool { return p.hung }
	see := func(what string, ok func() bool) {
		t.Helper()
		if err := until(t.Context(), ok); err != nil {
			t.Fatal(what, err)
		}
	}
	if err := hangs.signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	see("stopped", stopped(hangs))
	if err := ended.kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	resume, err := Halt(processes)
	if err != nil {
		t.Fatal(err)
	}
	see("halted", stopped(runs))
	if err := resume(); err != nil {
		t.Fatal(err)
	}
	see("resumed", func() bool { return !runs.hung() })
	if !hangs.hung() || ended.Alive() {
		t.Errorf("somebody else's stays stopped: %v; the ended one lives: %v", hangs.hung(), ended.Alive())
	}
	other := &Process{PID: runs.PID, Started: "at another time"}
	if _, err := Halt([]*Process{other}); err != nil || runs.hung() {
		t.Errorf("a process with the id of one that has ended is stopped: %v", err)
	}
}
