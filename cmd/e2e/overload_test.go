package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// What TestOverload offers, and what the replicas may hold of it. They propose one batch at a time, so that there is far less
// that they can do.
const (
	overloadConns    = 2
	overloadClients  = 8
	overloadWindow   = 11_000 // commands of a client in flight
	overloadValue    = 4 << 10
	overloadPipeline = 1 << 20
	overloadLog      = 8 << 20

	// overloadBound is the leader's, as docs/architecture.md lists it: what clients and peers may make it hold, and in flight,
	// chosen and kept on top of that, twice, because that is how far the garbage collector lets the heap grow.
	overloadMemory = scarce
	overloadBound  = overloadMemory + 2*(overloadPipeline+overloadLog)

	overloadOffer = overloadClients * overloadWindow * overloadValue
)

// A leader that held all it is offered would be above the bound, even without anything for the collector to find.
const _ uint = overloadOffer - 5*overloadBound/4

// Clients want far more than the cluster can do: the leader refuses with BUSY what it will not hold, its memory stays in its
// bounds, every command is answered once, and a normal load behind it meets a normal cluster.
func TestOverload(t *testing.T) {
	duration := 8 * time.Second
	if testing.Short() {
		duration = 3 * time.Second
	}
	c := newCluster(t, 3, "--machine", "noop", "--durability", "os", "--pipeline", "1", "--batch-bytes", "256KiB",
		"--pipeline-bytes", fmt.Sprint(overloadPipeline), "--log-bytes", fmt.Sprint(overloadLog), "--memory", fmt.Sprint(overloadMemory),
		"--segment-bytes", "16MiB", "--snapshot-bytes", "32MiB", "--election-timeout", "2s")
	leader := c.ready()
	load := c.load(duration, "--rate", "100k", "--value-size", fmt.Sprint(overloadValue), "--conns", fmt.Sprint(overloadConns),
		"--clients", fmt.Sprint(overloadClients), "--session-window", fmt.Sprint(overloadWindow), "--timeout", "60s", "--stall", "60s", "--max-errors", "1")
	resident := c.watch(leader, load)
	if code := load.exit(t, time.Second); code != exitInvalid {
		t.Fatalf("loadgen ended with %d, want %d, for a schedule that cannot be held:\n%s", code, exitInvalid, load.text())
	}
	over := c.result()
	shed := c.busy(leader)
	t.Logf("%d commands done, %d times BUSY; the leader's memory, in MiB: %v", over.Ops.OK, shed, resident)
	if peak := slices.Max(resident) << 20; peak > overloadBound {
		t.Errorf("the leader held %d MiB, want at most %d", peak>>20, overloadBound>>20)
	}
	if shed == 0 {
		t.Error("nothing was refused: this was no overload")
	}
	if over.Ops.OK == 0 || over.Ops.Failed+over.Ops.TimedOut+over.Verification.Violations+over.Client.Reconnects != 0 {
		t.Errorf("result: %+v", over)
	}
	if code := c.load(time.Second, "--window", "64").exit(t, 30*time.Second); code != 0 {
		t.Fatalf("loadgen ended with %d after the overload", code)
	}
	c.agree()
	after := c.result()
	if after.Ops.OK == 0 || after.Ops.Failed+after.Ops.TimedOut+after.Verification.Violations != 0 || c.busy(leader) != shed {
		t.Errorf("after the overload: %+v, %d commands refused", after, c.busy(leader)-shed)
	}
	done := c.executedBy(leader) - 2*readBack(0) // this machine keeps no values
	if done != over.Ops.OK+after.Ops.OK {
		t.Errorf("%d commands executed, %d answered", done, over.Ops.OK+after.Ops.OK)
	}
}

// watch returns the memory that a replica holds while a load runs, in MiB, twice a second.
func (c *cluster) watch(id int, load *process) (resident []int64) {
	c.t.Helper()
	for {
		select {
		case <-load.done:
			return append(resident, c.resident(id)>>20)
		case <-time.After(500 * time.Millisecond):
			resident = append(resident, c.resident(id)>>20)
		}
	}
}

// busy returns how many commands a replica has answered with BUSY.
func (c *cluster) busy(id int) uint64 {
	c.t.Helper()
	s, err := c.status(id)
	if err != nil {
		c.t.Fatal(err)
	}
	return s.Node.Busy
}
