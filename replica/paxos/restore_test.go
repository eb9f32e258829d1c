package paxos

import (
	"fmt"
	"strings"
	"testing"

	"paxosbench/wire"
)

// restarted returns a core that has restored records, as a later life would.
func (h hand) restarted(records []wire.Record) hand {
	again := newHand(h.t, h.cfg.Self, len(h.cfg.Replicas))
	for i := range records {
		again.Restore(&records[i])
	}
	return again
}

// The last slots before a change of leader are learnt to be chosen by the new leader's notice, and their records have the
// old ballot. A restart that stopped there would leave everything behind them out of reach.
func TestRule25CommitIndexComesBackOverAChangeOfLeader(t *testing.T) {
	h := newHand(t, 2, 3)
	h.gets(1, accept(ballot(1, 1), 1, 0, "a"))
	h.gets(1, accept(ballot(1, 1), 2, 1, "b"))
	h.gets(1, wire.NewHeartbeat(ballot(1, 1), 1, 2, 2)) // idle: slot 2 is learnt by notice
	h.gets(3, accept(ballot(2, 3), 3, 2, "no-op"))
	h.gets(3, accept(ballot(2, 3), 4, 3, "c"))
	h.gets(3, accept(ballot(2, 3), 5, 4, "d"))
	again := h.restarted(h.records())
	if again.Commit() != 4 || again.value(5) != "d" {
		t.Errorf("commit %d, slot 5 %s; want 4 and d", again.Commit(), again.value(5))
	}
}

// An index is learnt before the record is made that carries it.
func TestRule25RecordCarriesWhatItsOwnMessageSaid(t *testing.T) {
	h := newHand(t, 2, 3)
	h.gets(1, accept(ballot(1, 1), 1, 0, "a"))
	h.gets(1, accept(ballot(1, 1), 2, 1, "b"))
	records := h.records()
	if got := []wire.Slot{records[0].Commit, records[1].Commit}; got[0] != 0 || got[1] != 1 {
		t.Errorf("the records carry %v, want 0 and 1", got)
	}
}

// What a leader says to be chosen, and what this replica has of it may be an older value: the record says nothing of it.
func TestRule25NoticeOfWhatIsNotAtHandIsNotBelieved(t *testing.T) {
	h := newHand(t, 2, 3)
	h.gets(1, accept(ballot(1, 1), 1, 0, "stale"))
	h.gets(3, accept(ballot(2, 3), 2, 1, "b")) // slot 1 is chosen in ballot 2.3, with another value
	again := h.restarted(h.records())
	if h.Commit() != 0 || again.Commit() != 0 {
		t.Errorf("commit %d, after a restart %d", h.Commit(), again.Commit())
	}
}

func TestRule25NoticeIsRecordedWhenIdle(t *testing.T) {
	h := newHand(t, 2, 3)
	h.gets(1, accept(ballot(1, 1), 1, 0, "a"))
	records := h.records()
	h.gets(1, wire.NewHeartbeat(ballot(1, 1), 1, 1, 1))
	h.waits(h.cfg.Heartbeat / 2)
	if more := h.records(); len(more) != 0 {
		t.Fatalf("half a heartbeat later there are records %v", more)
	}
	h.Tick(h.now + h.cfg.Heartbeat/2)
	more := h.records()
	if len(more) != 1 || more[0].Kind != wire.RecordCommit || more[0].Commit != 1 {
		t.Fatalf("a heartbeat later there are records %v", more)
	}
	if again := h.restarted(append(records, more...)); again.Commit() != 1 {
		t.Errorf("after a restart commit %d", again.Commit())
	}
	for range 5 {
		h.Tick(h.now + h.cfg.Heartbeat)
	}
	if more := h.records(); len(more) != 0 {
		t.Errorf("the same index is recorded again: %v", more)
	}
}

func TestRule25StopRecordsTheIndex(t *testing.T) {
	h := newHand(t, 2, 3)
	h.gets(1, accept(ballot(1, 1), 1, 0, "a"))
	h.gets(1, wire.NewHeartbeat(ballot(1, 1), 1, 1, 1))
	h.RecordCommit()
	records := h.records()
	if again := h.restarted(records); again.Commit() != 1 {
		t.Errorf("after an orderly stop commit %d", again.Commit())
	}
	h.RecordCommit()
	if more := h.records(); len(more) != 0 {
		t.Errorf("recorded twice: %v", more)
	}
}

// Under load the records that are made anyhow carry the index.
func TestRule25NothingIsAddedUnderLoad(t *testing.T) {
	h := newHand(t, 2, 3)
	for s := wire.Slot(1); s <= 100; s++ {
		h.gets(1, accept(ballot(1, 1), s, s-1, "x"))
		h.waits(h.cfg.Heartbeat / 4)
	}
	if h.appended != 100 {
		t.Errorf("%d records for 100 slots", h.appended)
	}
}

// A peer's snapshot stands for slots of which this journal may hold values that were not chosen. If it is gone at a
// restart, nothing may stand in for it.
func TestRule25JournalDoesNotStandInForAPeersSnapshot(t *testing.T) {
	h := newHand(t, 2, 3)
	h.gets(1, accept(ballot(1, 1), 1, 0, "stale"))
	h.gets(1, accept(ballot(1, 1), 2, 0, "stale"))
	h.InstallSnapshot(2)
	h.gets(3, accept(ballot(2, 3), 3, 2, "c"))
	records := h.records()
	if again := h.restarted(records); again.Commit() != 0 || again.value(1) != "nothing" {
		t.Errorf("without the snapshot commit %d, slot 1 %s", again.Commit(), again.value(1))
	}
	again := newHand(t, 2, 3)
	again.RestoreSnapshot(2)
	for i := range records {
		again.Restore(&records[i])
	}
	if again.Commit() != 2 || again.value(3) != "c" {
		t.Errorf("with the snapshot commit %d, slot 3 %s", again.Commit(), again.value(3))
	}
}

// The case that was reported: a pause, a change of leader while idle, load, a stop of all.
func TestRule25StopOfAllAfterAnIdleChangeOfLeader(t *testing.T) {
	for _, orderly := range []bool{true, false} {
		t.Run(fmt.Sprint("orderly ", orderly), func(t *testing.T) {
			l := newLab(t, 3)
			l.elect(1)
			l.propose(1, "a", "b")
			l.settle()
			l.elect(2) // 1 has said nothing for long
			for i := range 40 {
				l.propose(2, fmt.Sprint(i))
				l.settle()
			}
			applied := map[wire.ReplicaID]wire.Slot{}
			for _, id := range l.cfg.Replicas {
				if orderly {
					l.at(id, func(n *node) { n.core.RecordCommit() })
					l.persist(id, 0)
				}
				applied[id] = l.nodes[id].applied()
				l.crash(id, false)
			}
			for _, id := range l.cfg.Replicas {
				l.restart(id)
				if got := l.nodes[id].applied(); got+1 < applied[id] || orderly && got < applied[id] {
					t.Errorf("replica %d knew %d slots and comes back with %d", id, applied[id], got)
				}
			}
			l.elect(3)
			if got := l.nodes[3].applied(); got < 43 {
				t.Errorf("%d slots are applied after the restart", got)
			}
		})
	}
}

// A replay keeps no more in memory than it needs: the last slots, by which a leader is judged, and what is not known chosen.
func TestReplayKeepsLittle(t *testing.T) {
	h := newHand(t, 1, 3, func(c *Config) { c.LogBytes = 64 << 20 })
	text := strings.Repeat("x", 1<<20)
	for s := wire.Slot(1); s <= 40; s++ {
		h.Restore(&wire.Record{Kind: wire.RecordAccept, Ballot: ballot(1, 2), Slot: s, Commit: s - min(s, 3), Payload: batch(text).Payload})
		h.TrimRestored(h.Commit())
		if most := restoredBytes + 4*(len(text)+entryOverhead); h.log.bytes > most {
			t.Fatalf("%d bytes in memory after slot %d, want %d at most", h.log.bytes, s, most)
		}
	}
	if kept := h.cfg.Buffers.Kept(); kept == 0 || kept > 4<<20 {
		t.Errorf("%d bytes wait to be used again, want some", kept)
	}
	for s := wire.Slot(36); s <= 40; s++ {
		if h.log.get(s) == nil {
			t.Errorf("slot %d is not in memory, %d are known chosen", s, h.Commit())
		}
	}
}
