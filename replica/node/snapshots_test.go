package node_test

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"paxosbench/replica/journal/memfs"
	"paxosbench/replica/machine"
	"paxosbench/replica/node"
	"paxosbench/replica/paxos"
	"paxosbench/replica/snapshot"
	"paxosbench/wire"
)

// lag makes one replica miss so much that the others do not have it any more, and starts it again.
func (c *trio) lag() (late *replica) {
	c.start()
	c.put(1200, 1<<20) // more than one chunk of snapshot
	late = c.follower()
	late.stop()
	next := late.node.Core().Commit() + 1
	for slices.ContainsFunc(c.replicas[1:], func(r *replica) bool { return r.up && r.has(next) }) {
		c.put(50, 1<<20)
	}
	late.start(c.volatile)
	return late
}

func modes(t *testing.T, test func(t *testing.T, c *trio)) {
	for name, volatile := range map[string]bool{"volatile": true, "durable": false} {
		t.Run(name, func(t *testing.T) { test(t, newTrio(t, volatile)) })
	}
}

func TestLaggardCatchesUpBySnapshot(t *testing.T) {
	modes(t, func(t *testing.T, c *trio) {
		late := c.lag()
		c.put(100, 1<<20)
		c.settle()
		if n := late.node.Stats().SnapshotsFetched; n != 1 {
			t.Errorf("%d snapshots fetched, want 1", n)
		}
		if late.node.Snapshots().Fetching != 0 {
			t.Error("still fetching")
		}
		if !c.volatile && !late.stores() {
			t.Error("the snapshot was not kept")
		}
	})
}

// TestVolatileSnapshotIsTakenOnDemandOnly: nobody pays for what nobody needs, before and after.
func TestVolatileSnapshotIsTakenOnDemandOnly(t *testing.T) {
	c := newTrio(t, true)
	late := c.lag()
	if n := c.leader().node.Stats().SnapshotsTaken; n != 0 {
		t.Fatalf("%d snapshots before one was asked for", n)
	}
	c.settle()
	if n := c.leader().node.Stats().SnapshotsTaken; n != 1 {
		t.Errorf("%d snapshots taken, want 1", n)
	}
	c.until("end of the pin", func() bool { return c.leader().node.Pinned() == paxos.NoPin })
	c.step()
	for _, r := range []*replica{c.leader(), late} {
		if r.node.Snapshots().Newest != (snapshot.Info{}) || r.stores() {
			t.Errorf("replica %d still keeps the snapshot of slot %d", r.id, r.node.Snapshots().Newest.Slot)
		}
	}
}

// TestPullSurvivesLoss loses one message of the pull after the other, and asks for no chunk twice but that one.
func TestPullSurvivesLoss(t *testing.T) {
	modes(t, func(t *testing.T, c *trio) {
		volatile := c.volatile
		for lost := 0; ; lost++ {
			c := newTrio(t, volatile)
			seen, beginnings := 0, 0
			late := c.lag()
			c.lose = func(m *wire.Message) bool {
				if m.Type != wire.TypeSnapshotFetch && m.Type != wire.TypeSnapshotChunk {
					return false
				}
				if m.Type == wire.TypeSnapshotFetch && m.Slot != 0 && m.Offset() == 0 {
					beginnings++
				}
				seen++
				return seen == lost+1
			}
			c.settle()
			if late.node.Stats().SnapshotsFetched != 1 || beginnings > 0 {
				t.Fatalf("message %d lost: %d snapshots fetched, begun anew %d times", lost, late.node.Stats().SnapshotsFetched, beginnings)
			}
			if seen <= lost {
				if lost < 8 {
					t.Fatalf("the pull takes %d messages: too few for the test to mean anything", seen)
				}
				return
			}
		}
	})
}

// A snapshot comes over a slow link at no less than half its rate, and once; nobody else is elected meanwhile.
func TestPullUsesASlowLink(t *testing.T) {
	for _, link := range []narrow{
		{bytesPerSecond: 250_000, delay: 5 * time.Millisecond},
		{bytesPerSecond: 250_000, delay: 45 * time.Millisecond},
		{bytesPerSecond: 2_000_000, delay: 120 * time.Millisecond},
	} {
		t.Run(fmt.Sprint(link.bytesPerSecond, link.delay), func(t *testing.T) {
			c := newTrio(t, false)
			late := c.lag()
			leader := c.leader()
			elected := leader.node.Core().Stats().Leaderships
			c.narrow = link
			c.narrow.to = late.id
			began := c.now
			c.until("snapshot", func() bool { return late.node.Stats().SnapshotsFetched > 0 })
			size := int(late.node.Snapshots().Newest.Bytes)
			if took, ideal := c.now-began, time.Duration(size)*time.Second/time.Duration(link.bytesPerSecond); took > 2*ideal+10*link.delay {
				t.Errorf("%d bytes took %v, want at most about twice %v", size, took, ideal)
			}
			if c.narrow.bytes > size*11/10 {
				t.Errorf("%d bytes were sent of a snapshot of %d", c.narrow.bytes, size)
			}
			if c.leader() != leader || leader.node.Core().Stats().Leaderships != elected {
				t.Error("another leader was elected")
			}
		})
	}
}

// Chunks of earlier times, doubled ones and those that nobody asked for are not taken, and do not make the pull begin anew.
func TestStaleChunksAreNotTaken(t *testing.T) {
	modes(t, func(t *testing.T, c *trio) {
		late := c.lag()
		var seen []wire.Message
		c.lose = func(m *wire.Message) bool {
			if m.Type == wire.TypeSnapshotChunk {
				kept := *m
				kept.Body = slices.Clone(m.Body)
				seen = append(seen, kept)
			}
			return false
		}
		beginnings, asks := 0, 0
		pulling := func() bool {
			p := late.node.Pull()
			if p.Slot == 0 || len(seen) == 0 {
				return late.node.Stats().SnapshotsFetched > 0
			}
			slot, offset := p.Slot, p.Offset
			old := seen[c.rng.IntN(len(seen))]
			for _, m := range []wire.Message{
				old,
				wire.NewSnapshotChunk(p.Slot, p.Total, p.Offset+1, []byte("unasked")),
				wire.NewSnapshotChunk(p.Slot, p.Total, p.Total, nil),
				wire.NewSnapshotChunk(p.Slot-1, p.Total, p.Offset, []byte("older")),
				wire.NewSnapshotChunk(p.Slot-1, 100, 0, []byte("older")),
				wire.NewSnapshotChunk(0, 0, 0, nil), // there was none then
				wire.NewSnapshotChunk(p.Slot, 0, p.Offset+1, nil),
			} {
				if m.Slot == slot && m.Offset() == offset && m.Size() != 0 {
					continue // that is what is wanted
				}
				m.From, m.Body = p.Peer, slices.Clone(m.Body)
				late.node.Step(c.now, &m)
				if late.node.Pull().Slot != slot {
					beginnings++
				}
			}
			asks++
			return late.node.Stats().SnapshotsFetched > 0
		}
		c.until("snapshot", pulling)
		if beginnings > 0 || asks < 5 {
			t.Errorf("begun anew %d times in %d steps", beginnings, asks)
		}
		c.settle()
	})
}

// TestPullBeginsAnewWithAnotherSnapshot has the peer replace its snapshot in the middle of a pull.
func TestPullBeginsAnewWithAnotherSnapshot(t *testing.T) {
	c := newTrio(t, false)
	late := c.lag()
	c.until("first chunk", func() bool { return late.node.Pull().Offset > 0 })
	late.full = true
	first, leader := late.node.Pull().Slot, c.replicas[late.node.Pull().Peer]
	c.put(10, 1<<20)
	leader.node.BeginTaking()
	c.until("another snapshot", func() bool { return leader.node.Snapshots().Newest.Slot > first })
	late.full = false
	c.settle()
	if late.node.Stats().SnapshotsFetched != 1 || late.node.Snapshots().Newest.Slot <= first {
		t.Errorf("%d snapshots fetched, the newest of slot %d, first asked for %d",
			late.node.Stats().SnapshotsFetched, late.node.Snapshots().Newest.Slot, first)
	}
}

// TestPullTurnsToAnotherPeer has the peer die in the middle.
func TestPullTurnsToAnotherPeer(t *testing.T) {
	c := newTrio(t, false)
	late := c.lag()
	c.until("first chunk", func() bool { return late.node.Pull().Offset > 0 })
	victim := c.replicas[late.node.Pull().Peer]
	other := c.replicas[6-late.id-victim.id]
	victim.stop()
	c.until("new state", func() bool { return late.node.Stats().SnapshotsFetched == 1 })
	c.until("a leader", func() bool { return c.leader() != nil })
	c.settle()
	if other.node.State().Applied() != late.node.State().Applied() {
		t.Errorf("%s", c)
	}
}

// TestPullOfAPeerThatIsGoneEnds has the peer die in the middle, and the puller hear of it. The end of another one changes nothing.
func TestPullOfAPeerThatIsGoneEnds(t *testing.T) {
	c := newTrio(t, false)
	late := c.lag()
	c.until("first chunk", func() bool { return late.node.Pull().Offset > 0 })
	peer := late.node.Pull().Peer
	late.node.Gone(c.now, 6-late.id-peer)
	if late.node.Pull().Peer != peer {
		t.Errorf("the end of another one ends the pull from %d", peer)
	}
	late.node.Gone(c.now, peer)
	if now := late.node.Pull(); now.Peer != 0 {
		t.Errorf("still pulls from %d: %+v", peer, now)
	}
	c.settle()
}

// TestPullRefusesDamage flips a bit of one chunk.
func TestPullRefusesDamage(t *testing.T) {
	c := newTrio(t, false)
	late := c.lag()
	damaged := false
	c.lose = func(m *wire.Message) bool {
		if m.Type == wire.TypeSnapshotChunk && m.Offset() > 0 && !damaged {
			m.Body[100] ^= 1
			damaged = true
		}
		return false
	}
	c.settle()
	if s := late.node.Stats(); s.SnapshotsRefused != 1 || s.SnapshotsFetched != 1 {
		t.Errorf("%d refused and %d fetched, want 1 and 1", s.SnapshotsRefused, s.SnapshotsFetched)
	}
}

// TestPullWaitsForTheStore and asks for nothing meanwhile.
func TestPullWaitsForTheStore(t *testing.T) {
	c := newTrio(t, false)
	late := c.lag()
	c.until("first chunk", func() bool { return late.node.Pull().Offset > 0 })
	late.full = true
	for range 3 {
		c.step() // what was on its way
	}
	asked, offset := 0, late.node.Pull().Offset
	c.lose = func(m *wire.Message) bool {
		if m.Type == wire.TypeSnapshotFetch {
			asked++
		}
		return false
	}
	for range 100 {
		c.step()
	}
	if asked > 0 || late.node.Pull().Offset != offset {
		t.Errorf("asked %d times without room", asked)
	}
	late.full = false
	c.settle()
	if n := late.node.Stats().SnapshotsFetched; n != 1 {
		t.Errorf("%d snapshots fetched, want 1", n)
	}
}

// TestCrashWhileFetching loses the power at every operation on the late replica's snapshots.
func TestCrashWhileFetching(t *testing.T) {
	for n := 0; ; n++ {
		c := newTrio(t, false)
		late := c.lag()
		disk := late.fs
		base := disk.Calls()
		var after *memfs.FS
		disk.SetHook(func(call memfs.Call) error {
			if call.N == base+n {
				after = disk.Crash(uint64(n))
			}
			return nil
		})
		for i := 0; after == nil && late.node.Stats().SnapshotsFetched == 0; i++ {
			if c.step(); i > 4000 {
				t.Fatalf("crash at %d: no snapshot: %s", n, c)
			}
		}
		if after == nil {
			if n < 10 {
				t.Fatalf("storing took %d operations: too few for the test to mean anything", n)
			}
			return
		}
		late.stop()
		late.fs = after
		c.put(20, 1<<20)
		late.start(false)
		c.settle()
	}
}

// TestSnapshotUnderLoad takes snapshots while batches keep coming. Each is the state at its slot.
func TestSnapshotUnderLoad(t *testing.T) {
	c := newTrio(t, false)
	c.start()
	checked := 0
	for range 3000 {
		c.put(1, 2000)
		for _, r := range c.replicas[1:] {
			checked += r.checkBegun()
		}
	}
	if checked < 6 {
		t.Errorf("only %d snapshots", checked)
	}
	for _, r := range c.replicas[1:] {
		if r.has(1) || r.has(c.leader().node.Core().Commit()-2000) {
			t.Errorf("replica %d keeps its journal", r.id)
		}
	}
}

// checkBegun compares the newest snapshot, once it is stored, with the state when it was begun.
func (r *replica) checkBegun() int {
	for len(r.begun) > 0 && r.begun[0].slot < r.node.Snapshots().Newest.Slot {
		r.begun = r.begun[1:] // missed
	}
	if len(r.begun) == 0 || r.node.Snapshots().Newest.Slot != r.begun[0].slot {
		return 0
	}
	want := r.begun[0]
	r.begun = r.begun[1:]
	store := snapshot.NewStore(r.fs.Crash(0), dataDir, r.config().Identity, slog.New(slog.DiscardHandler))
	got, damaged, err := store.Restore(func() *machine.Restorer {
		return machine.NewRestorer(machine.NewKV(machine.HashKey{}), machine.DefaultConfig())
	})
	if err != nil || damaged != nil || got == nil {
		r.trio.t.Fatalf("snapshot of slot %d: %v, %v", want.slot, damaged, err)
	}
	if (begun{got.Applied(), got.Digest()}) != want {
		r.trio.t.Fatalf("snapshot of slot %d is another state", want.slot)
	}
	return 1
}

// TestReplicasTakeTurns: in a cluster that has just begun, they do not all take their first snapshot at once.
func TestReplicasTakeTurns(t *testing.T) {
	c := newTrio(t, false)
	c.start()
	first := map[wire.Slot]wire.ReplicaID{}
	for range 600 {
		c.put(1, 100)
		for _, r := range c.replicas[1:] {
			if len(r.begun) == 0 {
				continue
			}
			if other := first[r.begun[0].slot]; other != 0 && other != r.id {
				t.Fatalf("replicas %d and %d began at slot %d", other, r.id, r.begun[0].slot)
			}
			first[r.begun[0].slot] = r.id
		}
	}
	if len(first) != 3 {
		t.Errorf("%d first snapshots", len(first))
	}
}

// TestSnapshotsTakeNoMoreThanTheLog: a state that is much longer than the log between two snapshots is not written again and
// again. Each one may be twice as long as the one before it, for which the log has been waited for.
func TestSnapshotsTakeNoMoreThanTheLog(t *testing.T) {
	c := newTrio(t, false)
	c.snapshot = 64 << 10
	c.start()
	r := c.replicas[1]
	var newest snapshot.Info
	bytes := int64(0)
	for newest.Bytes < 20*int64(c.snapshot) {
		c.put(1, 1<<20)
		if s := r.node.Snapshots().Newest; s.Slot != newest.Slot {
			newest = s
			bytes += s.Bytes
		}
	}
	if log := int64(r.Stats().Bytes); bytes > 2*log {
		t.Errorf("%d bytes of snapshots beside a log of %d", bytes, log)
	}
}

// TestTakingWaitsForTheStore: nothing is handed over without room.
func TestTakingWaitsForTheStore(t *testing.T) {
	c := newTrio(t, false)
	c.start()
	r := c.replicas[3]
	c.until("a snapshot", func() bool { c.put(1, 1<<20); return r.node.Taking() })
	r.full = true
	before := r.pieces
	c.put(100, 1<<20)
	if !r.node.Taking() || r.pieces != before {
		t.Error("pieces are taken without room")
	}
	r.full = false
	c.until("the rest", func() bool { return r.checkBegun() == 1 })
}

// TestFailedSnapshotIsTakenAgain: the disk is full for a while.
func TestFailedSnapshotIsTakenAgain(t *testing.T) {
	c := newTrio(t, false)
	c.start()
	r := c.replicas[3]
	r.fs.SetHook(func(call memfs.Call) error {
		if call.Op == memfs.OpSync && strings.Contains(call.Name, "snapshot") {
			return errors.New("no space left on device")
		}
		return nil
	})
	c.until("a failure", func() bool { c.put(1, 100); return r.node.Stats().SnapshotsFailed > 0 })
	if r.node.Releasable() != 0 {
		t.Error("a failed snapshot releases the journal")
	}
	r.fs.SetHook(nil)
	c.until("a snapshot", func() bool { c.put(1, 100); return r.node.Stats().SnapshotsTaken > 0 })
	c.settle()
}

// TestJournalWaitsForPullers: what a peer needs next is kept until it has come by, though not for ever.
func TestJournalWaitsForPullers(t *testing.T) {
	c := newTrio(t, false)
	late := c.lag()
	c.until("first chunk", func() bool { return late.node.Pull().Offset > 0 })
	leader, slot := c.replicas[late.node.Pull().Peer], late.node.Pull().Slot
	late.stop()
	c.until("another snapshot", func() bool {
		c.put(1, 1<<20)
		if got := leader.node.Releasable(); got > slot && leader.node.Pinned() != paxos.NoPin && leader.node.SnapshotBefore() <= slot {
			t.Fatalf("released up to %d, a peer is at %d", got, slot)
		}
		return leader.node.Snapshots().Newest.Slot > slot
	})
	c.until("release", func() bool { return leader.node.Releasable() > slot })
}

// A replica that is asked for something keeps its journal for the peer, and delays its snapshots, only as long as the peer lacks what
// has left the memory. A follower hears nothing more of a peer that has got on.
func TestSnapshotsWaitOnlyForWhatHasLeftTheMemory(t *testing.T) {
	c := newTrio(t, false)
	c.snapshot = 0
	c.start()
	c.put(200, 1<<20)
	for _, r := range []*replica{c.leader(), c.follower()} {
		peer := 6 - c.leader().id - c.follower().id
		ask := func(slot wire.Slot) wire.Slot {
			m := wire.NewFetch(slot, slot, 1)
			m.From, m.To = peer, r.id
			r.node.Step(c.now, &m)
			return r.node.Pinned()
		}
		first := r.node.Core().FirstSlot()
		if first < 10 {
			t.Fatalf("replica %d holds everything from slot %d on in memory", r.id, first)
		}
		if got := ask(first - 3); got != first-4 {
			t.Errorf("replica %d is asked for what has left the memory: everything after %d is kept, want %d", r.id, got, first-4)
		}
		if got := ask(first); got != paxos.NoPin {
			t.Errorf("replica %d is asked for what the memory has: everything after %d is kept", r.id, got)
		}
	}
}

// TestPinBoundsMemory: without a journal the memory is all there is. It is kept for a peer that pulls, up to the bound.
func TestPinBoundsMemory(t *testing.T) {
	c := newTrio(t, true)
	c.pin = 512 << 10
	late := c.lag()
	c.until("first chunk", func() bool { return late.node.Pull().Offset > 0 })
	leader, slot := c.replicas[late.node.Pull().Peer], late.node.Pull().Slot
	late.stop()
	held := 0
	for leader.node.Core().FirstSlot() <= slot+1 {
		c.put(1, 1<<20)
		held++
	}
	if held < 200 || held > 600 { // a kilobyte each, in buffers of two
		t.Errorf("%d slots held for a bound of %d bytes", held, c.pin)
	}
	c.until("end of the pin", func() bool { return leader.node.Pinned() == paxos.NoPin })
	c.put(5, 1<<20)
	if held := leader.node.Core().Commit() - leader.node.Core().FirstSlot(); held > testLogBytes>>10 {
		t.Errorf("%d slots held after the pin", held)
	}
}

// TestSnapshotTooOldIsTakenAnew: without a journal a snapshot is worth nothing once the log has moved on.
func TestSnapshotTooOldIsTakenAnew(t *testing.T) {
	c := newTrio(t, true)
	c.pin = testLogBytes
	late := c.lag()
	c.until("first chunk", func() bool { return late.node.Pull().Offset > 0 })
	slot := late.node.Pull().Slot
	late.full = true
	c.put(200, 1<<20)
	late.full = false
	c.settle()
	if taken := c.leader().node.Stats().SnapshotsTaken; taken < 2 {
		t.Errorf("%d snapshots taken, the first was of slot %d", taken, slot)
	}
}

// TestLeaderKeepsItsState: a replica that has become leader meanwhile does not install what it has fetched.
func TestLeaderKeepsItsState(t *testing.T) {
	c := newTrio(t, false)
	c.start()
	c.put(5, 10)
	leader := c.leader()
	newer := machine.NewState(machine.NewKV(machine.HashKey{}), machine.DefaultConfig())
	for newer.Applied() < leader.node.State().Applied()+10 {
		newer.EndBatch(newer.Applied()+1, 0)
	}
	leader.node.HasPulled(c.follower().id, newer)
	if leader.node.SnapshotStored(snapshot.Info{Slot: newer.Applied(), Bytes: 1}) {
		t.Error("installed")
	}
	c.put(5, 10)
	c.settle()
}

// TestStrangeSnapshotMessagesAreHarmless: whatever a peer says about snapshots, nothing panics.
func TestStrangeSnapshotMessagesAreHarmless(t *testing.T) {
	modes(t, func(t *testing.T, c *trio) {
		c.start()
		c.put(20, 10)
		r := c.follower()
		odd := []uint64{0, 1, 20, 1 << 20, 1<<64 - 1}
		for _, from := range []wire.ReplicaID{0, 1, 2, 3, 4, 200} {
			for _, slot := range odd {
				for _, offset := range odd {
					for _, size := range odd {
						for _, body := range [][]byte{nil, {1, 2, 3}} {
							for _, m := range []wire.Message{
								wire.NewSnapshotFetch(wire.Slot(slot), offset, int(size)), wire.NewSnapshotChunk(wire.Slot(slot), size, offset, body),
							} {
								r.node.BeginPull(c.now, 3-r.id%2)
								m.From = from
								r.node.Step(c.now, &m)
								r.round()
							}
						}
					}
				}
			}
		}
		c.put(20, 10)
		c.settle()
	})
}

func BenchmarkTakePiece(b *testing.B) {
	for _, records := range []int{100_000, 4_000_000} {
		b.Run(fmt.Sprint(records), func(b *testing.B) { benchmarkTakePiece(b, records) })
	}
}

// benchmarkTakePiece measures how long a round stops for a piece.
func benchmarkTakePiece(b *testing.B, records int) {
	kv := machine.NewKV(machine.HashKey{})
	key := make([]byte, 8)
	for i := range records {
		for j := range key {
			key[j] = byte(i >> (8 * j))
		}
		_ = kv.Restore(wire.Command{Op: wire.OpPut, Key: key, Value: key})
	}
	s := machine.NewState(kv, machine.DefaultConfig())
	p := s.BeginSnapshot()
	b.ReportAllocs()
	b.SetBytes(node.SnapshotPiece)
	for b.Loop() {
		if _, done, _ := p.Next(make([]byte, 0, node.SnapshotPiece), node.SnapshotPiece); done {
			p = s.BeginSnapshot()
		}
	}
}
