//go:build linux

package main

import (
	"errors"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"paxosbench/bench/record"
	"paxosbench/wire/client/clienttest"
)

// A generator that does not get the processor it needs says so instead of blaming the replicas. It is tied to a
// processor that it shares with processes that never pause; a slower machine starves it more.
func TestStarvedGeneratorIsInvalid(t *testing.T) {
	server := listen(t, clienttest.Config{State: clienttest.NewNoopState()})
	dir := t.TempDir()
	p := newRun(t, server, "--rate", "200k", "--tick", "1us", "--duration", "1s", "--interval", "100ms", "--quiet", "--out", dir,
		"--give-up", "1m", "--stall", "1m", "--timeout", "1m", "--max-errors", "1")
	if err := onSharedProcessor(func() error { return errors.Join(startSpinners(t), p.start()) }); err != nil {
		t.Fatal(err)
	}
	p.exits(exitInvalid)
	p.says("the run is invalid")
	p.says("send lag p99: operations left late")
	r, err := record.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict != record.Invalid || !strings.Contains(strings.Join(r.Reasons, "\n"), "send lag p99: operations left late") {
		t.Errorf("%s because of %q", r.Verdict, r.Reasons)
	}
	if r.Generator.CPUShare > 0.5 {
		t.Errorf("nobody starved it: it had %v of the processor", r.Generator.CPUShare)
	}
	if !r.Ops.Consistent() || r.Latency.Count != r.Ops.Scheduled || r.Latency.P99 < r.SendLag.P99 {
		t.Errorf("what left late is missing in the latency: %+v, %d observations", r.Ops, r.Latency.Count)
	}
}

// onSharedProcessor calls start on a thread that may use one processor only, as may the processes that start starts.
func onSharedProcessor(start func() error) error {
	var allowed, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return err
	}
	cpu := 0
	for !allowed.IsSet(cpu) {
		cpu++
	}
	one.Set(cpu)
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine, so that nothing else gets to run there
		err := unix.SchedSetaffinity(0, &one)
		if err == nil {
			err = start()
		}
		started <- err
	}()
	return <-started
}

// spinners leave a tenth of the processor to the starved process.
const spinners = 9

// startSpinners starts processes that never pause and end with the test, or with this process should that be killed.
func startSpinners(t *testing.T) error {
	for range spinners {
		spinner := exec.Command("sh", "-c", "while kill -0 $PPID; do :; done")
		if err := spinner.Start(); err != nil {
			return err
		}
		t.Cleanup(func() {
			_ = spinner.Process.Kill()
			_ = spinner.Wait() // it was killed
		})
	}
	return nil
}
