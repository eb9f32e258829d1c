//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"paxosbench/bench/record"
	"paxosbench/wire"
	"paxosbench/wire/client/clienttest"
)

// bin is the program as TestMain has built it, for what only shows in a process: signals, scheduling, exit codes.
var bin string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "paxosbench-loadgen-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin = filepath.Join(dir, "loadgen")
	build := exec.Command("go", "build", "-o", bin, "paxosbench/cmd/loadgen")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "building the program:", err)
		return 1
	}
	for _, name := range []string{"PAXOSBENCH_STATE", "PAXOSBENCH_PORT_BASE"} {
		os.Unsetenv(name) // a cluster that whoever runs the tests works with is none of theirs
	}
	return m.Run()
}

// process is a child whose standard error can be watched while it runs.
type process struct {
	*exec.Cmd
	t    *testing.T
	done chan struct{}
	more chan struct{} // has something if there may be new text

	mu   sync.Mutex
	text bytes.Buffer
}

// newRun is loadgen run against a server, not started yet.
func newRun(t *testing.T, server *clienttest.Server, args ...string) *process {
	p := &process{t: t, done: make(chan struct{}), more: make(chan struct{}, 1)}
	p.Cmd = exec.Command(bin, append([]string{"run", "--addrs", server.Addr(), "--admin", "none", "--warmup", "0s", "--conns", "1",
		"--keys", "1000"}, args...)...)
	p.Stderr = p
	return p
}

// start starts the process. The child inherits the limits of the caller's thread.
func (p *process) start() error {
	if err := p.Start(); err != nil {
		return err
	}
	go func() {
		_ = p.Wait() // the exit code says more
		close(p.done)
	}()
	p.t.Cleanup(func() {
		_ = p.Process.Kill() // it may have ended by itself
		<-p.done
	})
	return nil
}

func startRun(t *testing.T, server *clienttest.Server, args ...string) *process {
	t.Helper()
	p := newRun(t, server, args...)
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// Write implements io.Writer: the child's standard error.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case p.more <- struct{}{}:
	default:
	}
	return p.text.Write(b)
}

func (p *process) stderr() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// patience is for machines that are busy with something else; nothing waits that long otherwise.
const patience = time.Minute

// says waits until the process has written some text.
func (p *process) says(text string) {
	p.t.Helper()
	for deadline := time.After(patience); !strings.Contains(p.stderr(), text); {
		select {
		case <-p.more:
		case <-p.done:
			if !strings.Contains(p.stderr(), text) {
				p.t.Fatalf("ended with code %d and never said %q:\n%s", p.ProcessState.ExitCode(), text, p.stderr())
			}
		case <-deadline:
			p.t.Fatalf("%q not said within %v:\n%s", text, patience, p.stderr())
		}
	}
}

func (p *process) interrupt() {
	p.t.Helper()
	if err := p.Process.Signal(os.Interrupt); err != nil {
		p.t.Fatal(err)
	}
}

// exits waits for the end of the process.
func (p *process) exits(code int) {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("still runs after %v:\n%s", patience, p.stderr())
	}
	if got := p.ProcessState.ExitCode(); got != code {
		p.t.Fatalf("exit code %d, want %d:\n%s", got, code, p.stderr())
	}
}

// The first interrupt ends the load, awaits what is in flight and writes the results.
func TestFirstInterruptDrains(t *testing.T) {
	var runs atomic.Int64
	holding, released := make(chan struct{}), make(chan struct{})
	hold := sync.OnceFunc(func() { close(holding) })
	release := sync.OnceFunc(func() { close(released) })
	server := listen(t, clienttest.Config{Intercept: func(r *wire.Run) clienttest.Action {
		if r.Session != 0 && runs.Add(1) > 100 {
			hold()
			<-released
		}
		return clienttest.Action{}
	}})
	t.Cleanup(release) // before the server is closed
	dir := t.TempDir()
	p := startRun(t, server, "--duration", "1h", "--interval", "10ms", "--window", "16", "--timeout", "1h", "--stall", "1h", "--out", dir)
	p.says("op/s")
	select {
	case <-holding:
	case <-p.done:
	}
	p.interrupt()
	p.says("what is being measured is awaited")
	release()
	p.exits(exitInterrupted)
	r, err := record.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if r.Ops.OK != r.Ops.Sent || r.Ops.OK < 100 || r.MeasuredS > 600 {
		t.Errorf("%+v in %v s: want every operation answered, in a part of the hour", r.Ops, r.MeasuredS)
	}
	if last := r.Reasons[len(r.Reasons)-1]; !strings.HasPrefix(last, "interrupted: after") {
		t.Errorf("the result does not say that it was interrupted: %q", r.Reasons)
	}
}

// The second interrupt does not wait for answers that would be awaited for an hour.
func TestSecondInterruptExitsAtOnce(t *testing.T) {
	server := listen(t, clienttest.Config{Intercept: func(r *wire.Run) clienttest.Action {
		if r.Session == 0 {
			return clienttest.Action{}
		}
		return clienttest.Action{OnlyReply: func() []byte { return nil }} // no answer, ever
	}})
	dir := t.TempDir()
	p := startRun(t, server, "--duration", "1h", "--interval", "10ms", "--timeout", "1h", "--stall", "1h", "--out", dir)
	p.says("op/s")
	p.interrupt()
	p.says("interrupt again to exit at once")
	p.interrupt()
	p.exits(exitInterrupted)
	if _, err := os.Stat(filepath.Join(dir, record.ResultFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a run that was not finished has a result (%v)", err)
	}
}

// Nothing is measured during the warm-up, so who interrupts it does not wait for replicas that do not answer.
func TestInterruptedWarmUpEndsAtOnce(t *testing.T) {
	silent := make(chan struct{})
	say := sync.OnceFunc(func() { close(silent) })
	server := listen(t, clienttest.Config{Intercept: func(r *wire.Run) clienttest.Action {
		if r.Session == 0 {
			return clienttest.Action{}
		}
		say()
		return clienttest.Action{OnlyReply: func() []byte { return nil }} // no answer, ever
	}})
	dir := t.TempDir()
	p := startRun(t, server, "--warmup", "1h", "--duration", "1h", "--timeout", "1h", "--stall", "1h", "--out", dir)
	p.says("warming up")
	select {
	case <-silent:
	case <-p.done:
	}
	p.interrupt()
	p.exits(exitInterrupted)
	p.says("interrupted, this run has no result: the measurement had not begun")
	if _, err := os.Stat(filepath.Join(dir, record.ResultFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a run that measured nothing has a result (%v)", err)
	}
}

// Whoever interrupts a run that has no connection yet is told so, not that there was none.
func TestInterruptBeforeThereIsAConnection(t *testing.T) {
	server := listen(t, clienttest.Config{})
	server.Close()
	p := startRun(t, server, "--give-up", "1h", "--duration", "1h")
	p.says("connecting")
	p.interrupt()
	p.exits(exitInterrupted)
}

func TestWrongAnswersEndWithTheirCode(t *testing.T) {
	var runs atomic.Int64
	server := listen(t, clienttest.Config{Intercept: func(*wire.Run) clienttest.Action {
		if runs.Add(1)%20 == 0 {
			return clienttest.Action{Corrupt: func(value []byte) { value[len(value)-1] ^= 1 }}
		}
		return clienttest.Action{}
	}})
	dir := t.TempDir()
	p := startRun(t, server, "--duration", "300ms", "--window", "16", "--mix", "put:0.5,get:0.5", "--out", dir)
	p.exits(exitWrong)
	p.says("verification failed")
	if r, err := record.Load(dir); err != nil || r.Verification.Violations == 0 || len(r.Verification.Reports) == 0 || r.Verdict != record.Invalid {
		t.Errorf("the result does not tell what was wrong: %v, %+v", err, r)
	}
}
