package e2e

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"paxosbench/wire"
)

const (
	// spareFiles is what a process needs besides the connections of a crowd, the replica above all: it keeps 130 descriptors
	// for other things, and has places for its peers.
	spareFiles = 512

	// crowdBytes is what a connection that has said hello and nothing more may cost: the structs of gnet and of the
	// transport, addresses, room for a header, and places in three tables, which are less than 2 KiB; twice, because that
	// is how far the garbage collector lets the heap grow. It has no buffer of its own.
	crowdBytes = 2 * 2 << 10

	// crowdFixed is what the working client's commands may add meanwhile: those in flight and those chosen and kept, as
	// TestIdleCrowd limits them, twice; and as much again for the heap's least size and the stacks.
	crowdFixed = 2 * 2 * (1<<20 + 1<<20)
)

// As many clients as the leader has places for connect and say nothing. It stays up and small, has those that have been idle longest
// give way to others, serves the client that works, and has a place for a peer that comes back.
func TestIdleCrowd(t *testing.T) {
	places := crowdSize(t)
	c := newCluster(t, 3, "--max-clients", fmt.Sprint(places), "--durability", "os", "--machine", "noop",
		"--log-bytes", "1MiB", "--pipeline-bytes", "1MiB", "--election-timeout", "2s")
	leader := c.ready()
	load := c.load(time.Hour, "--conns", "1", "--clients", "1", "--window", "16", "--stall", "60s", "--timeout", "60s")
	c.progress(leader, 2000)
	before := c.resident(leader)
	const excess = 10
	c.crowd(leader, places-1, excess)
	peak := c.resident(leader)
	c.progress(leader, 2000)
	c.restartPeer(leader)
	c.progress(leader, 2000)
	peak = max(peak, c.resident(leader))
	t.Logf("%d connections; the leader's memory grew from %d to %d MiB", places, before>>20, peak>>20)
	if bound := before + int64(places*crowdBytes+crowdFixed); peak > bound {
		t.Errorf("the leader holds %d MiB, want at most %d", peak>>20, bound>>20)
	}
	if s, err := c.status(leader); err != nil || s.Transport.Clients != places {
		t.Errorf("%d clients at the end, want %d; error %v", s.Transport.Clients, places, err)
	}
	c.interrupt(load)
	if r := c.result(); r.Ops.OK == 0 || r.Ops.Failed+r.Ops.TimedOut+r.Verification.Violations+r.Client.Reconnects != 0 {
		t.Errorf("the working client: %+v", r)
	}
	c.agree()
}

// crowdSize returns how many clients a replica of the test has places for, which the limit of open files may make fewer. The
// Go runtime has raised the soft limit of this process to the hard one, and the replica raises its own.
func crowdSize(t *testing.T) int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	size := 10_000
	if testing.Short() {
		size = 1000
	}
	if limit.Max < spareFiles+100 {
		t.Skipf("%d open files allowed: too few for a crowd", limit.Max)
	}
	return int(min(uint64(size), limit.Max-spareFiles))
}

// crowd opens idle connections to a replica: as many as there are places for, and then some more, which are let in when one of the
// others has been idle for long enough to give way.
func (c *cluster) crowd(id, welcomed, more int) {
	c.t.Helper()
	for range welcomed {
		if got, err := c.visit(id); err != nil || got != wire.TypeWelcome {
			c.t.Fatalf("a connection is answered with a %v, want a welcome; error %v", got, err)
		}
	}
	for range more {
		c.until("an idle client to give way", func() bool {
			got, err := c.visit(id)
			return err == nil && got == wire.TypeWelcome
		})
	}
}

// visit opens a connection, which stays open until the test ends, and returns the answer to its hello.
func (c *cluster) visit(id int) (wire.Type, error) {
	c.t.Helper()
	return greet(mustHostile(c.t, c.members[id-1].client))
}

// greet says hello and returns the type of the answer. Who is refused may have lost the connection before.
func greet(h *hostile) (wire.Type, error) {
	if err := h.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return 0, err
	}
	if _, err := h.Write(wire.AppendClientHello(nil, wire.ClientHello{})); err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		return 0, err
	}
	header, _, err := h.hear()
	return header.Type, err
}

// progress waits until a replica has executed so many more commands.
func (c *cluster) progress(id int, commands uint64) {
	c.t.Helper()
	before := c.executedBy(id)
	c.until("commands of the working client", func() bool { return c.executedBy(id) >= before+commands })
}

// restartPeer kills a follower and waits until the leader has it back.
func (c *cluster) restartPeer(leader int) {
	c.t.Helper()
	peers := func(want int) func() bool {
		return func() bool {
			s, err := c.status(leader)
			return err == nil && s.Transport.Peers == want
		}
	}
	follower := leader%3 + 1
	c.until("two peers", peers(2))
	c.signal(follower, syscall.SIGKILL)
	c.until("a peer less", peers(1))
	c.start(follower)
	c.until("the peer's return", peers(2))
}

// interrupt ends a load, which writes its result all the same.
func (c *cluster) interrupt(load *process) {
	c.t.Helper()
	if err := load.Process.Signal(os.Interrupt); err != nil {
		c.t.Fatal(err)
	}
	const exitInterrupted = 130
	if code := load.exit(c.t, 90*time.Second); code != exitInterrupted {
		c.t.Fatalf("loadgen ended with %d:\n%s", code, load.text())
	}
}
