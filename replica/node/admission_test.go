package node_test

import (
	"strings"
	"testing"

	"paxosbench/batching"
	"paxosbench/replica/node"
	"paxosbench/wire"
)

// puts returns a fragment of runs, each of its session, with so many commands.
func puts(counts ...int) []byte {
	var fragment []byte
	for i, count := range counts {
		var commands []byte
		for range count {
			commands = wire.AppendCommand(commands, wire.OpPut, 0, keyOf(1), keyOf(2))
		}
		fragment = wire.AppendRunHeader(fragment, wire.SessionID(i+1), 1, 0, count, len(commands))
		fragment = append(fragment, commands...)
	}
	return fragment
}

// offer gives a replica commands, and returns how it has answered at once: the commands refused.
func (r *replica) offer(c *node.Client, fragment []byte) (refused int) {
	r.trio.t.Helper()
	r.answers = nil
	if err := r.node.Request(r.trio.now, c, fragment); err != nil {
		r.trio.t.Fatal(err)
	}
	return r.busy(c.Origin, wire.TypeReply)
}

// busy returns how many of the answers to an origin say BUSY; none says anything else.
func (r *replica) busy(origin batching.Origin, kind wire.Type) (refused int) {
	t := r.trio.t
	for _, a := range r.answers {
		if a.origin != origin || a.kind != kind {
			t.Fatalf("answered %d with a frame of type %v, want %d and %v", a.origin, a.kind, origin, kind)
		}
		for body := a.runs; len(body) > 0; {
			run, n, err := wire.DecodeReplyRun(body)
			if err != nil || !run.Uniform || run.Status != wire.StatusBusy {
				t.Fatalf("answered %+v, %v", run, err)
			}
			body = body[n:]
			refused += run.Count
		}
	}
	return refused
}

// connect returns a connection with the window that is granted to one that asks.
func (r *replica) connect(origin batching.Origin, asked uint32) *node.Client {
	r.clients[origin] = r.node.NewClient(origin, asked)
	return r.clients[origin]
}

func TestWindowIsGranted(t *testing.T) {
	c := newTrio(t, false)
	c.start()
	for asked, want := range map[uint32]int{0: testWindow, 1: 1, 64: 64, testWindow: testWindow, testWindow + 1: testWindow, 1<<32 - 1: testWindow} {
		if got := c.leader().connect(7, asked).Window; got != want {
			t.Errorf("%d asked for, %d granted, want %d", asked, got, want)
		}
	}
}

// A connection is held to what it was granted, not to what could have been, and a fragment is taken or refused as a whole:
// every run of it is answered.
func TestGrantedWindowIsHeldTo(t *testing.T) {
	c := newTrio(t, false)
	c.start()
	leader := c.leader()
	client := leader.connect(7, 64)
	if refused := leader.offer(client, puts(100)); refused != 100 || client.InFlight != 0 {
		t.Fatalf("of 100 commands over a window of 64, %d are refused, and %d are in flight", refused, client.InFlight)
	}
	if refused := leader.offer(client, puts(30, 1, 34)); refused != 65 || len(leader.answers) != 1 {
		t.Fatalf("of three runs over the window, %d commands are refused in %d frames", refused, len(leader.answers))
	}
	if refused := leader.offer(client, puts(30, 34)); refused != 0 || client.InFlight != 64 {
		t.Fatalf("of 64 commands, %d are refused, and %d are in flight", refused, client.InFlight)
	}
	if err := leader.node.Query(client, gets(1, 1)); err != nil || leader.busy(7, wire.TypeQueryReply) != 1 {
		t.Fatalf("a read finds room in a window that is full of commands: %v", err)
	}
	if refused := leader.offer(leader.connect(8, 1), puts(1)); refused != 0 {
		t.Fatal("another connection's window is full")
	}
	leader.answers = nil
	leader.round()
	c.until("answers", func() bool { return client.InFlight == 0 })
	leader.answers = nil
	if err := leader.node.Query(client, gets(1, 1)); err != nil || len(leader.answers) != 0 || client.InFlight != 1 {
		t.Fatalf("a read finds no room in an empty window: %v, %d in flight", err, client.InFlight)
	}
	if got := leader.node.Stats().Busy; got != 166 {
		t.Errorf("%d refused, want 166", got)
	}
}

// What waits to be proposed, or for a round, is bounded over all connections.
func TestPendingBytesAreBounded(t *testing.T) {
	c := newTrio(t, false)
	c.start()
	leader := c.leader()
	leader.node.SetPendingBytes(300)
	for origin := batching.Origin(7); leader.offer(leader.client(origin), puts(1)) == 0; origin++ {
		if origin > 20 {
			t.Fatal("there is no bound on commands")
		}
	}
	if waiting, bytes := leader.node.Pending(); waiting < 2 || bytes+64*waiting < 300 || bytes+64*waiting > 600 {
		t.Errorf("%d commands of %d bytes wait", waiting, bytes)
	}
	for origin := batching.Origin(7); len(leader.answers) < 2; origin++ {
		if err := leader.node.Query(leader.client(origin), gets(1, 1)); err != nil || origin > 20 {
			t.Fatalf("there is no bound on reads: %v", err)
		}
	}
	leader.round()
	c.settle()
	if refused := leader.offer(leader.client(7), puts(1)); refused != 0 {
		t.Error("refused although nothing waits")
	}
}

func TestFollowerRedirects(t *testing.T) {
	c := newTrio(t, false)
	c.start()
	r := c.follower()
	client := r.client(7)
	if r.offer(client, puts(1)) != 0 || r.node.Query(client, gets(1, 1)) != nil || client.InFlight != 0 || len(r.answers) != 0 {
		t.Errorf("a follower takes %d commands or reads, and answers %d", client.InFlight, len(r.answers))
	}
	if len(r.redirected) != 2 || r.redirected[0] != 7 || r.redirected[1] != 7 {
		t.Errorf("redirected %v", r.redirected)
	}
}

// What is no fragment is not admitted, wherever it comes to.
func TestBadFragments(t *testing.T) {
	c := newTrio(t, false)
	c.start()
	for _, r := range []*replica{c.leader(), c.follower()} {
		client := r.client(7)
		for _, bad := range [][]byte{{1, 2, 3}, puts(3)[:40]} {
			if r.node.Request(c.now, client, bad) == nil || r.node.Query(client, bad) == nil {
				t.Errorf("%d bytes are taken for a fragment", len(bad))
			}
		}
		if err := r.node.Query(client, puts(1)); err == nil {
			t.Error("a put is taken for a read")
		}
		r.node.SetReads(wire.ReadsLog)
		if err := r.node.Query(client, gets(1, 1)); err == nil || !strings.Contains(err.Error(), "--reads") {
			t.Errorf("a read beside the log is taken although there are none: %v", err)
		}
		if client.InFlight != 0 || len(r.answers)+len(r.redirected) != 0 {
			t.Errorf("%d in flight, %d answers", client.InFlight, len(r.answers))
		}
	}
}

func TestRefusalsDoNotAllocate(t *testing.T) {
	n, env := newSink(t)
	fragment := puts(1, 2, 3)
	client := n.NewClient(7, 1)
	env.client = client
	if allocs := testing.AllocsPerRun(100, func() {
		if err := n.Request(0, client, fragment); err != nil {
			t.Fatal(err)
		}
	}); allocs != 0 || n.Stats().Busy == 0 {
		t.Errorf("%v allocations, %d refused", allocs, n.Stats().Busy)
	}
}
