package node_test

import (
	"testing"

	"paxosbench/batching"
	"paxosbench/replica/node"
	"paxosbench/wire"
)

// TestAppliesOfARoundAreBounded: who has much to catch up with applies a bounded part of it in each round, and says that there is
// more; what else there is to do comes in between.
func TestAppliesOfARoundAreBounded(t *testing.T) {
	c := newTrio(t, false)
	c.work = 3 << 10 // two of the batches below, and a part of the third
	c.start()
	late := c.follower()
	c.lose = func(m *wire.Message) bool { return m.To == late.id }
	c.put(60, 10)
	c.lose = nil
	most, unfinished := wire.Slot(0), 0
	for range 400 {
		before := late.node.State().Applied()
		if err := late.node.Round(c.now); err != nil {
			t.Fatal(err)
		}
		most = max(most, late.node.State().Applied()-before)
		if late.node.Unfinished() {
			unfinished++
			if late.node.State().Applied() == late.node.Core().Commit() {
				t.Fatal("it says that there is more, and has applied all")
			}
			continue
		}
		c.step()
	}
	if most > 3 || unfinished < 5 {
		t.Errorf("%d slots applied in one round, %d rounds left something", most, unfinished)
	}
	c.settle()
}

// fill has the leader take one batch of so many runs of 100 gets, on behalf of a client.
func (c *trio) fill(origin batching.Origin, runs int) *replica {
	c.t.Helper()
	const count = 100
	var fragment []byte
	for range runs {
		fragment = wire.AppendRunHeader(fragment, wire.MakeSessionID(1, 0), c.seq+1, c.seq, count, count*wire.CommandHeaderSize)
		for range count {
			fragment = wire.AppendCommand(fragment, wire.OpGet, 0, nil, nil)
		}
		c.seq += count
	}
	leader := c.leader()
	if err := leader.node.Request(c.now, leader.client(origin), fragment); err != nil {
		c.t.Fatal(err)
	}
	return leader
}

// TestBatchTakesSeveralRounds: a batch that is too long for a round is applied and answered in parts, in order and once. Snapshots,
// which are due all the time, are of whole batches.
func TestBatchTakesSeveralRounds(t *testing.T) {
	c := newTrio(t, false)
	c.work, c.snapshot = 1<<10, 1
	c.start()
	const runs, work = 7, 2 << 10 / 64
	leader, client := c.fill(7, runs), c.leader().client(7)
	rounds := 0
	for client.InFlight > 0 && rounds < 1000 {
		before := leader.node.Stats().CommandsApplied
		c.step()
		if done := leader.node.Stats().CommandsApplied - before; done > 0 {
			rounds++
		}
		if err := leader.node.Round(c.now); err != nil {
			t.Fatal(err)
		}
		most := uint64(0)
		for range 3 {
			before = leader.node.Stats().CommandsApplied
			leader.round()
			most = max(most, leader.node.Stats().CommandsApplied-before)
		}
		if most > work+1 {
			t.Fatalf("%d commands applied in one round, want at most %d", most, work)
		}
	}
	next := c.seq - runs*100
	for _, a := range leader.answers {
		for rest := a.runs; len(rest) > 0; {
			run, size, err := wire.DecodeReplyRun(rest)
			if err != nil || run.First != next+1 || run.Status != wire.StatusNotFound {
				t.Fatalf("answered %+v after %d: %v", run, next, err)
			}
			next, rest = run.First+wire.Seq(run.Count)-1, rest[size:]
		}
	}
	if next != c.seq || rounds < 5 {
		t.Errorf("answered up to %d of %d, in %d rounds", next, c.seq, rounds)
	}
	c.settle()
	if leader.node.Stats().SnapshotsTaken == 0 {
		t.Error("no snapshot was taken")
	}
}

// TestNoSnapshotWithinABatch: a peer that asks for a snapshot while a batch is applied in part has to ask again.
func TestNoSnapshotWithinABatch(t *testing.T) {
	c := newTrio(t, true)
	c.work = 1 << 10
	c.start()
	leader, client := c.fill(7, 7), c.leader().client(7)
	c.until("a part of the answers", func() bool { return client.InFlight < 700 })
	asks := func() bool {
		fetch := wire.NewSnapshotFetch(0, 0, 1<<20)
		fetch.From, fetch.To = leader.id%3+1, leader.id
		if err := leader.node.Step(c.now, &fetch); err != nil {
			t.Fatal(err)
		}
		return leader.node.Taking()
	}
	if client.InFlight == 0 || asks() {
		t.Fatalf("%d gets without an answer, and a snapshot is begun", client.InFlight)
	}
	c.until("all answers", func() bool { return client.InFlight == 0 })
	if !asks() {
		t.Error("between two batches none is begun")
	}
	c.settle()
}

// TestLeadershipEndsWithinABatch: who no longer leads answers nothing more of a batch that it has applied in part.
func TestLeadershipEndsWithinABatch(t *testing.T) {
	c := newTrio(t, true)
	c.work = 1 << 10
	c.start()
	leader, client := c.fill(7, 7), c.leader().client(7)
	c.until("a part of the answers", func() bool { return client.InFlight < 700 })
	if client.InFlight == 0 {
		t.Fatal("the batch is applied in one round")
	}
	c.lose = func(m *wire.Message) bool { return m.From == leader.id || m.To == leader.id }
	answered := len(leader.answers)
	for leader.node.Leads() { // time passes, and it does not come to its work
		c.now += testTimeout
		leader.node.Tick(c.now)
	}
	for range 100 {
		leader.round()
	}
	if len(leader.answers) != answered {
		t.Errorf("%d answers after the end of the leadership", len(leader.answers)-answered)
	}
	c.lose = nil
	c.until("a leader", func() bool { return c.leader() != nil })
	c.settle()
}

// BenchmarkLargestBatch applies the batch that takes the longest, as nothing but an unreplicated state does at once: 4 MiB of the
// shortest commands.
func BenchmarkLargestBatch(b *testing.B) {
	n, env := newSink(b)
	command := wire.AppendCommand(nil, wire.OpDelete, 0, []byte("k"), nil)
	seq := wire.Seq(2)
	for b.Loop() {
		var fragment []byte
		commands := 0
		for wire.MaxBatch-len(fragment) > wire.RunHeaderSize+wire.MaxRunCommands*len(command) {
			fragment = wire.AppendRunHeader(fragment, wire.MakeSessionID(1, 0), seq, seq-1, wire.MaxRunCommands, wire.MaxRunCommands*len(command))
			for range wire.MaxRunCommands {
				fragment = append(fragment, command...)
			}
			seq += wire.MaxRunCommands
			commands += wire.MaxRunCommands
		}
		env.client.Window = commands
		if err := n.Request(0, env.client, fragment); err != nil {
			b.Fatal(err)
		}
	}
}

// asks has the leader take frames of gets of a key, on behalf of client 7.
func (c *trio) asks(key uint64, frames, gets int) {
	c.t.Helper()
	leader := c.leader()
	for range frames {
		fragment := wire.AppendRunHeader(nil, wire.MakeSessionID(1, 0), c.seq+1, c.seq, gets, gets*(wire.CommandHeaderSize+len(keyOf(key))))
		for range gets {
			fragment = wire.AppendCommand(fragment, wire.OpGet, 0, keyOf(key), nil)
		}
		c.seq += wire.Seq(gets)
		if err := leader.node.Request(c.now, leader.client(7), fragment); err != nil {
			c.t.Fatal(err)
		}
	}
}

// statuses waits until client 7 has all answers, and returns what they say.
func (c *trio) statuses() (all []wire.Status) {
	c.t.Helper()
	leader := c.leader()
	c.until("answers", func() bool { return leader.client(7).InFlight == 0 })
	for _, a := range leader.answers {
		for rest := a.runs; len(rest) > 0; {
			run, size, err := wire.DecodeReplyRun(rest)
			rest = rest[size:]
			for range run.Count {
				status := run.Status
				if err == nil && !run.Uniform {
					var result wire.Result
					result, size, err = wire.DecodeResult(run.Results)
					status, run.Results = result.Status, run.Results[size:]
				}
				all = append(all, status)
			}
			if err != nil {
				c.t.Fatal(err)
			}
		}
	}
	leader.answers = nil
	return all
}

// TestOthersDoNotWaitBehindLargeAnswers: of gets for large values those that are applied within a time are answered, and the others
// are BUSY, but not those for small values behind them. When everything is applied, large ones are served again.
func TestOthersDoNotWaitBehindLargeAnswers(t *testing.T) {
	c := newTrio(t, false)
	c.start()
	const size = 256 << 10
	c.write(1, make([]byte, size))
	c.write(2, make([]byte, 100))
	c.leader().answers = nil
	count := func(of []wire.Status, status wire.Status) (n int) {
		for _, s := range of {
			if s == status {
				n++
			}
		}
		return n
	}
	c.asks(1, 8, 50)
	c.asks(2, 3, 10)
	c.until("the first answers", func() bool { return len(c.leader().answers) > 0 })
	c.now += node.MostLag
	got := c.statuses()
	large, small := got[:400], got[400:]
	if sent, busy := count(large, wire.StatusOK), count(large, wire.StatusBusy); sent == 0 || sent > 200 || sent+busy != len(large) {
		t.Errorf("of %d large values %d are sent and %d are BUSY", len(large), sent, busy)
	}
	if count(small, wire.StatusOK) != 30 {
		t.Errorf("small values behind them: %v", small)
	}
	c.asks(1, 1, 50)
	if got := c.statuses(); count(got, wire.StatusOK) != 50 {
		t.Errorf("when everything is applied: %v", got)
	}
}
