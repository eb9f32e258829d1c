package paxos

import (
	"testing"
	"time"

	"paxosbench/wire"
)

// node is a core with the surroundings it needs: a disk that loses what is not durable, the chosen batches it has
// applied, and a snapshot. Its owner says when records become durable and carries its messages.
type node struct {
	t    testing.TB
	id   wire.ReplicaID
	core *Core

	journal []wire.Record // durable, oldest first
	pending []wire.Record // appended, not durable
	durable uint64        // records durable since the core started
	ballot  wire.Ballot   // highest durable promise

	history  []Entry   // what was applied: slot s stands at s-1
	snapshot wire.Slot // durable; history up to here survives a crash
	first    wire.Slot // oldest slot that the journal gives back
	up       bool
	forgot   bool // the disk was lost, and the replica has not rejoined since
}

func newNode(t testing.TB, id wire.ReplicaID) *node {
	return &node{t: t, id: id, first: 1}
}

// start begins a life: what the disk holds is restored into a new core.
func (n *node) start(cfg Config, now time.Duration) {
	cfg.Self, cfg.Buffers = n.id, new(wire.Buffers)
	n.core = New(cfg, now)
	n.up, n.durable, n.history = true, 0, n.history[:n.snapshot]
	if n.forgot {
		n.core.Forget()
	}
	n.core.RestoreSnapshot(n.snapshot)
	for i := range n.journal {
		n.core.Restore(&n.journal[i])
		n.apply()
	}
}

// crash ends a life and loses what is not durable; if the disk is lost too, everything.
func (n *node) crash(loseDisk bool) {
	n.up, n.pending = false, nil
	if loseDisk {
		n.forgot, n.journal, n.ballot, n.snapshot, n.first = true, nil, 0, 0, 1
	}
}

// step gives a message to the core, in a buffer of the node's own, as a transport would.
func (n *node) step(now time.Duration, m wire.Message) {
	m.Body = append(n.core.cfg.Buffers.Get(len(m.Body)), m.Body...)
	n.core.Step(now, &m)
}

// ready carries out what the core has ready, and returns copies of what is for others to do. Every body must still be
// what its checksum says: the core may not let go of one that it has handed out.
func (n *node) ready() Ready {
	r := n.core.Ready()
	out := Ready{Fetches: append([]Fetch(nil), r.Fetches...), Snapshot: r.Snapshot, Accusations: append([]Accusation(nil), r.Accusations...)}
	for _, record := range r.Records {
		n.checkBody("record", record.Slot, record.Body, record.BodyCRC)
		record.Body = clone(record.Body)
		out.Records = append(out.Records, record)
	}
	for _, m := range r.Messages {
		n.checkBody(m.Type.String(), m.Slot, m.Body, m.BodyCRC)
		shared := m.Type == wire.TypeAccept
		body := clone(m.Body)
		if !shared {
			n.core.cfg.Buffers.Put(m.Body)
		}
		m.Body = body
		out.Messages = append(out.Messages, m)
	}
	n.pending = append(n.pending, out.Records...)
	n.forgot = n.forgot && !n.core.Voting()
	n.apply()
	return out
}

func (n *node) checkBody(what string, s wire.Slot, body []byte, crc uint32) {
	if wire.Checksum(body) != crc {
		n.t.Fatalf("replica %d hands out a %s for slot %d whose body has been overwritten", n.id, what, s)
	}
}

// apply takes over what is chosen.
func (n *node) apply() {
	for s := n.applied() + 1; s <= n.core.Commit(); s++ {
		e := *n.core.Entry(s)
		e.Body = clone(e.Body)
		n.history = append(n.history, e)
	}
	n.core.Trim(n.applied())
}

func (n *node) applied() wire.Slot { return wire.Slot(len(n.history)) }

// persist makes the oldest k pending records durable.
func (n *node) persist(now time.Duration, k int) {
	for _, r := range n.pending[:k] {
		n.journal = append(n.journal, r)
		if r.Kind != wire.RecordChosen {
			n.ballot = max(n.ballot, r.Ballot)
		}
	}
	n.pending = n.pending[k:]
	n.durable += uint64(k)
	n.core.Persisted(now, n.durable)
}

// takeSnapshot makes what is applied durable as a snapshot, and has the journal let go of what it covers. The newest
// promise stays.
func (n *node) takeSnapshot() {
	n.snapshot = n.applied()
	n.truncate()
}

// install replaces what is applied by the snapshot of another, durably, as long as it is newer.
func (n *node) install(history []Entry) {
	s := wire.Slot(len(history))
	if s <= n.applied() || n.core.Role() == Leader {
		return
	}
	n.history, n.snapshot = append([]Entry(nil), history...), s
	n.core.InstallSnapshot(s)
	n.apply()
}

func (n *node) truncate() {
	n.first = n.snapshot + 1
	kept := []wire.Record{{Kind: wire.RecordPromise, Ballot: n.ballot}}
	for _, r := range n.journal {
		if r.Slot > n.snapshot {
			kept = append(kept, r)
		}
	}
	n.journal = kept
}

// answer serves a Fetch of slots that the core no longer holds.
func (n *node) answer(f Fetch) wire.Message {
	m := wire.NewTruncated(n.first, n.core.Commit())
	if f.From >= n.first {
		var body []byte
		s := f.From
		for ; s <= n.applied() && (s == f.From || len(body) < f.MaxBytes); s++ {
			body = appendEntry(body, s, &n.history[s-1])
		}
		m = wire.NewEntries(f.From, s-1, n.core.Commit(), body)
	}
	m.From, m.To = n.id, f.Peer
	return m
}

func appendEntry(dst []byte, s wire.Slot, e *Entry) []byte {
	return wire.AppendEntry(dst, &wire.Entry{
		Slot: s, Ballot: e.Ballot, Payload: e.Payload,
	})
}

func clone(b []byte) []byte { return append([]byte(nil), b...) }

// batch returns an entry with the given text for a batch.
func batch(text string) Entry {
	return Entry{Payload: wire.Payload{Body: []byte(text), RawLen: uint32(len(text)), BodyCRC: wire.Checksum([]byte(text))}}
}
