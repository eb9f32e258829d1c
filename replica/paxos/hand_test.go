package paxos

import (
	"slices"
	"testing"
	"time"

	"paxosbench/wire"
)

// hand drives one core: the test plays all its peers, its disk and its clock.
type hand struct {
	*Core
	t    testing.TB
	made *[]wire.Record // since the last call of records
}

// newHand returns replica id of n.
func newHand(t testing.TB, id wire.ReplicaID, n int, change ...func(*Config)) hand {
	cfg := labConfig(n)
	cfg.Self, cfg.Buffers = id, new(wire.Buffers)
	for _, f := range change {
		f(&cfg)
	}
	return hand{New(cfg, 0), t, new([]wire.Record)}
}

// gets gives the core a message from a peer and returns what it sends at once.
func (h hand) gets(from wire.ReplicaID, m wire.Message) []wire.Message {
	m.From, m.To = from, h.cfg.Self
	if len(m.Body) > 0 && m.BodyCRC == 0 {
		m.BodyCRC = wire.Checksum(m.Body)
	}
	h.Step(h.now, &m)
	return h.sends()
}

// syncs makes everything appended durable and returns what the core sends then.
func (h hand) syncs() []wire.Message {
	h.ready() // the records are on their way
	h.Persisted(h.now, h.appended)
	return h.sends()
}

// ready takes what the core has ready, and keeps its records.
func (h hand) ready() *Ready {
	r := h.Ready()
	for _, record := range r.Records {
		record.Body = slices.Clone(record.Body)
		*h.made = append(*h.made, record)
	}
	return r
}

// records returns the records that the core has made since the last call, which are durable now.
func (h hand) records() []wire.Record {
	h.syncs()
	made := *h.made
	*h.made = nil
	return made
}

// waits lets time pass, with a tick at its end, and returns what the core sends then.
func (h hand) waits(d time.Duration) []wire.Message {
	h.Tick(h.now + d)
	return h.sends()
}

// sends returns what the core has ready to send.
func (h hand) sends() []wire.Message {
	r := h.ready()
	return slices.Clone(r.Messages)
}

// runs makes the core a candidate, with its own promise durable, and returns its ballot.
func (h hand) runs() wire.Ballot {
	h.maxSeen = max(h.maxSeen, ballot(9, 1)) // others may have used lower ones
	h.waits(2 * h.cfg.ElectionTimeout)
	for _, id := range h.cfg.Replicas {
		h.gets(id, wire.NewPreVoteReply(h.preVoteBallot, true, 0, 0))
	}
	h.syncs()
	if h.Role() != Candidate && h.Role() != Leader {
		h.t.Fatalf("replica %d is a %v", h.cfg.Self, h.Role())
	}
	return h.ballot
}

// leads makes the core the leader of a cluster in which nothing has been accepted, and returns its ballot.
func (h hand) leads() wire.Ballot {
	b := h.runs()
	for _, id := range h.cfg.Replicas {
		h.gets(id, promise(b, 0))
	}
	if h.Role() != Leader {
		h.t.Fatalf("replica %d is a %v", h.cfg.Self, h.Role())
	}
	return b
}

// promise returns the promise of an acceptor that knows every slot up to commit chosen, and has accepted entries above
// it.
func promise(b wire.Ballot, commit wire.Slot, entries ...entryAt) wire.Message {
	return promisePart(b, commit, commit+1, false, entries...)
}

// promisePart returns the part of a promise that begins with slot first.
func promisePart(b wire.Ballot, commit, first wire.Slot, more bool, entries ...entryAt) wire.Message {
	var body []byte
	last := first - 1
	for _, e := range entries {
		body = appendEntry(body, e.slot, &e.Entry)
		last = e.slot
	}
	return wire.NewPromise(b, commit, first, last, more, body)
}

// entryAt is what an acceptor says it has accepted for a slot.
type entryAt struct {
	slot wire.Slot
	Entry
}

func accepted(s wire.Slot, b wire.Ballot, text string) entryAt {
	e := batch(text)
	e.Ballot = b
	return entryAt{s, e}
}

// accept returns an Accept.
func accept(b wire.Ballot, s, commit wire.Slot, text string) wire.Message {
	e := batch(text)
	return wire.NewAccept(b, s, commit, e.Payload)
}

// chosen returns an Entries message.
func chosen(commit wire.Slot, entries ...entryAt) wire.Message {
	var body []byte
	for _, e := range entries {
		body = appendEntry(body, e.slot, &e.Entry)
	}
	return wire.NewEntries(entries[0].slot, entries[len(entries)-1].slot, commit, body)
}

// only returns the messages of one type.
func only(messages []wire.Message, t wire.Type) []wire.Message {
	return slices.DeleteFunc(slices.Clone(messages), func(m wire.Message) bool { return m.Type != t })
}

// value returns what the core holds for a slot.
func (h hand) value(s wire.Slot) string {
	if e := h.log.get(s); e != nil {
		return string(e.Body)
	}
	return "nothing"
}

func ballot(round uint64, id wire.ReplicaID) wire.Ballot { return wire.MakeBallot(round, id) }
