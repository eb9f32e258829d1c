package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Process is a process that was started here or by another program. The system uses process ids again: Started tells it
// from others.
type Process struct {
	PID     int    `json:"pid"`
	Started string `json:"started"`
}

// Identify returns the process that has an id now.
func Identify(pid int) (*Process, error) {
	started, ended, err := identify(pid)
	if err == nil && ended {
		err = errGone
	}
	if err != nil {
		return nil, err
	}
	return &Process{pid, started}, nil
}

// Alive tells whether the process has not ended.
func (p *Process) Alive() bool {
	started, ended, err := identify(p.PID)
	return err == nil && !ended && started == p.Started
}

// errGone is the error of a process that has ended.
var errGone = errors.New("it has ended")

// signal signals the process. On Linux the handle is of the process itself, not of its id: if that is alive when the
// handle is there, no other process can get the signal.
func (p *Process) signal(s syscall.Signal) error {
	handle, err := os.FindProcess(p.PID)
	if err != nil {
		return err
	}
	defer handle.Release()
	if !p.Alive() {
		return errGone
	}
	if err := handle.Signal(s); errors.Is(err, os.ErrProcessDone) {
		return errGone
	} else {
		return err
	}
}

// Halt stops processes as SIGSTOP does, but for those that have ended or are stopped already. They go on when resume is called.
func Halt(processes []*Process) (resume func() error, err error) {
	var halted []*Process
	resume = func() (err error) {
		for _, p := range halted {
			err = errors.Join(err, p.unlessGone(syscall.SIGCONT))
		}
		return err
	}
	for _, p := range processes {
		if !p.hung() {
			halted = append(halted, p)
			err = errors.Join(err, p.unlessGone(syscall.SIGSTOP))
		}
	}
	return resume, err
}

// unlessGone signals the process. That it has ended is no error.
func (p *Process) unlessGone(s syscall.Signal) error {
	if err := p.signal(s); !errors.Is(err, errGone) {
		return err
	}
	return nil
}

// until polls until ok, or ctx ends.
func until(ctx context.Context, ok func() bool) error {
	for !ok() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pollEvery):
		}
	}
	return nil
}

// kill ends the process and waits for that.
func (p *Process) kill(ctx context.Context) error {
	if err := p.signal(syscall.SIGKILL); err != nil && !errors.Is(err, errGone) {
		return err
	}
	return until(ctx, func() bool { return !p.Alive() })
}

// end ends the process in an orderly way, even one that is stopped, or, after a timeout, any way. It tells whether it was
// orderly.
func (p *Process) end(ctx context.Context, timeout time.Duration) (orderly bool, err error) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGCONT} {
		if err := p.signal(s); errors.Is(err, errGone) {
			return true, nil
		} else if err != nil {
			return false, err
		}
	}
	patient, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if until(patient, func() bool { return !p.Alive() }) == nil {
		return true, nil
	}
	return false, p.kill(ctx)
}

// child is a process that was started by this program.
type child struct {
	Process
	cmd   *exec.Cmd
	ended chan struct{} // closed when the child has been waited for
}

// Command prepares a child that is killed when ctx ends, that Ctrl-C in the terminal spares, and that, on Linux, does not
// outlive this process.
func Command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.SysProcAttr = tied()
	return cmd
}

// free puts a child into a process group of its own, so that Ctrl-C in the terminal spares it, and what ends it is a signal to
// itself. It stays in the session of this process: Linux gives every session a share of the processors (sched_autogroup), and
// replicas with one each are moved from processor to processor so badly that one may not run for a second.
func free() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// startProcess starts a program whose output is appended to a log. Unless it is tied to this process it outlives it.
func startProcess(log, program string, args []string, isTied bool) (*child, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, args...)
	if cmd.SysProcAttr = tied(); !isTied {
		cmd.SysProcAttr = free()
	}
	cmd.Stdout, cmd.Stderr = file, file
	if err := errors.Join(cmd.Start(), file.Close()); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	return newChild(cmd)
}

// newChild is a command that has been started. Nobody waits for it before it has been identified, so that its id is its
// own until then.
func newChild(cmd *exec.Cmd) (*child, error) {
	c := &child{Process: Process{PID: cmd.Process.Pid}, cmd: cmd, ended: make(chan struct{})}
	var err error
	if c.Started, _, err = identify(c.PID); err != nil {
		return nil, errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	go func() {
		_ = cmd.Wait() // how it ended is in ProcessState
		close(c.ended)
	}()
	return c, nil
}

// over tells whether the child has ended.
func (c *child) over() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// fate says how an ended child ended.
func (c *child) fate() string {
	<-c.ended
	return c.cmd.ProcessState.String()
}
