package node_test

import (
	"encoding/binary"
	"testing"

	"paxosbench/replica/paxos"
	"paxosbench/wire"
)

// hostile makes replica 3 a peer that the test plays: its messages come from hear.
func hostile(t *testing.T) *trio {
	c := newTrio(t, false)
	c.start()
	c.put(20, 10)
	c.settle()
	c.replicas[3].stop()
	c.until("leader without it", func() bool { return c.leader() != nil && c.leader().id != 3 })
	c.put(5, 10)
	c.settle()
	return c
}

// hear gives a replica a message of replica 3.
func (r *replica) hear(m wire.Message) error {
	m.From, m.To = 3, r.id
	err := r.node.Step(r.trio.now, &m)
	r.round()
	return err
}

// goesOn checks that the two others have a leader or find one, and get on.
func (c *trio) goesOn() {
	c.t.Helper()
	for range 10 * int(testTimeout/testTick) { // what has been said wears off
		c.step()
	}
	c.until("leader", func() bool { return c.leader() != nil })
	before := c.leader().node.State().Stats().Executed
	c.put(6, 10)
	c.settle()
	if now := c.leader().node.State().Stats().Executed; now != before+6 {
		c.t.Fatalf("%d of 6 commands executed: %s", now-before, c)
	}
}

// above returns a ballot of replica 3 above what the others have heard of.
func (c *trio) above() wire.Ballot {
	return max(c.replicas[1].node.Core().Ballot(), c.replicas[2].node.Core().Ballot()).Next(3)
}

// garbage is as long as the batch of a put and is none.
var garbage = []byte("forty bytes which are no batch whatsoever")

// TestRule31WhatIsNoBatchIsNotAccepted: an Accept or a Promise of what is no batch changes nothing.
func TestRule31WhatIsNoBatchIsNotAccepted(t *testing.T) {
	c := hostile(t)
	for _, r := range c.replicas[1:3] {
		slot, b, held := r.node.Core().Commit()+1, c.above(), r.Base()
		entry := wire.AppendEntry(nil, &wire.Entry{Slot: slot, Ballot: b, Payload: wire.MakeBody(garbage)})
		for _, m := range []wire.Message{
			wire.NewAccept(b, slot, slot, wire.MakeBody(garbage)), wire.NewAccept(b, slot, slot, wire.MakeBody(make([]byte, 40))),
			wire.NewPromise(b, 0, 1, slot, false, entry), wire.NewPromise(b, 0, 1, slot, false, garbage),
			wire.NewPrepare(b, ^wire.Slot(0), 1), wire.NewFetch(1, ^wire.Slot(0), 1), wire.NewAccepted(b, 1, 1, wire.MaxSlot+1),
		} {
			if err := r.hear(m); err == nil {
				t.Errorf("replica %d takes %v", r.id, m.String())
			}
		}
		if r.node.Stats().MessagesRefused != 7 || r.node.Core().Ballot() >= b || r.Base() != held {
			t.Errorf("replica %d: %d refused, ballot %v, %d records after %d", r.id, r.node.Stats().MessagesRefused, r.node.Core().Ballot(), r.Base(), held)
		}
	}
	c.goesOn()
}

// TestRule31WhatIsChosenAndNoBatchDoesNothing: whatever a broken leader has had chosen is a no-op on all replicas: on those that
// accepted it, those that fetch it, and after a restart.
func TestRule31WhatIsChosenAndNoBatchDoesNothing(t *testing.T) {
	c := newTrio(t, false)
	c.start()
	c.put(5, 10)
	c.settle()
	leader, late := c.leader(), c.follower()
	late.stop()
	records := leader.node.State().Len()
	const broken = 3
	for _, p := range []wire.Payload{
		{Codec: wire.CodecS2, RawLen: 100, BodyCRC: wire.Checksum(garbage), Body: garbage},
		{Codec: wire.CodecZstd, RawLen: wire.MaxBatch + 1, BodyCRC: wire.Checksum(garbage), Body: garbage},
		{Codec: wire.CodecS2, RawLen: 4, BodyCRC: wire.Checksum([]byte("\x04\x0cnone")), Body: []byte("\x04\x0cnone")}, // unpacks, to no batch
	} {
		leader.node.Core().Propose(c.now, 0, paxos.Entry{Payload: p})
		leader.round()
		c.put(1, 10)
	}
	late.start(false)
	c.settle()
	check := func(when string) {
		t.Helper()
		for _, r := range c.replicas[1:] {
			if n := r.node.Stats().NotBatches; n != broken || r.node.State().Len() < records || len(r.warnings) == 0 {
				t.Errorf("%s: replica %d has seen %d slots that hold no batch, %d records, warned %q", when, r.id, n, r.node.State().Len(), r.warnings)
			}
		}
	}
	check("live")
	for _, r := range c.replicas[1:] {
		r.stop()
	}
	c.queue = nil
	for _, r := range c.replicas[1:] {
		r.start(false)
	}
	check("restarted")
	c.until("leader", func() bool { return c.leader() != nil })
	c.put(5, 10)
	c.settle()
}

// TestRule31OwnProposalThatIsNoBatchIsForgotten: what a broken leader has proposed and nobody else has accepted is not proposed
// again when it has restarted.
func TestRule31OwnProposalThatIsNoBatchIsForgotten(t *testing.T) {
	c := newTrio(t, false)
	c.start()
	c.put(5, 10)
	c.settle()
	leader := c.leader()
	leader.node.Core().Propose(c.now, 0, paxos.Entry{Payload: wire.MakeBody(garbage)})
	leader.round()
	for range 3 {
		c.step()
	}
	follower := c.follower()
	leader.stop()
	follower.stop()
	leader.start(false)
	c.queue = nil
	c.goesOn()
}

// TestOnePeerStopsNobody: whatever one peer claims of what is chosen, of digests or of batches, nobody stops for it.
func TestOnePeerStopsNobody(t *testing.T) {
	for _, forge := range map[string]func(c *trio, r *replica) []wire.Message{
		"leader that has proposed less than is chosen": func(c *trio, r *replica) []wire.Message {
			return []wire.Message{wire.NewHeartbeat(c.above(), 1, 0, 0)}
		},
		"another batch for a chosen slot": func(c *trio, r *replica) []wire.Message {
			return []wire.Message{wire.NewAccept(c.above(), r.node.Core().Commit(), 0, wire.Payload{})}
		},
		"two batches for a slot": func(c *trio, r *replica) []wire.Message {
			b, slot := c.above(), r.node.Core().Commit()+1
			return []wire.Message{wire.NewAccept(b, slot, 0, wire.Payload{}), wire.NewAccept(b, slot, 0, wire.MakeBody(puts(1)))}
		},
		"verdict of a false leader": func(c *trio, r *replica) []wire.Message {
			b, applied := c.above(), r.node.State().Applied()
			d := wire.Digests{1: {Known: true, Value: 7}, 2: {Known: true, Value: 7}, 3: {Known: true, Value: 7}}
			d[r.id] = wire.Digest{Known: true, Value: 8}
			return []wire.Message{wire.NewHeartbeat(b, 1, 0, wire.MaxSlot), wire.NewDiverged(b, applied, &d)}
		},
		"false digest": func(c *trio, r *replica) []wire.Message {
			m := wire.NewHeartbeatReply(r.node.Core().Ballot(), 1, 0, 0, 0)
			m.SetDigest(r.node.State().Applied(), 1)
			return []wire.Message{m}
		},
	} {
		c := hostile(t)
		for range 3 {
			for _, r := range c.replicas[1:3] {
				for _, m := range forge(c, r) {
					_ = r.hear(m) // whether it is refused is not the point
				}
			}
			for range int(testTimeout / testTick) {
				c.step()
			}
		}
		c.goesOn()
	}
}

// forger draws messages from the bytes of a fuzzer.
type forger struct {
	c    *trio
	data []byte
}

func (f *forger) byte() byte {
	if len(f.data) == 0 {
		return 0
	}
	b := f.data[0]
	f.data = f.data[1:]
	return b
}

func (f *forger) number() uint64 {
	var b [8]byte
	for i := range b {
		b[i] = f.byte()
	}
	return binary.LittleEndian.Uint64(b[:])
}

func (f *forger) ballot(r *replica) wire.Ballot {
	switch f.byte() % 7 {
	case 0:
		return r.node.Core().Ballot()
	case 1:
		return f.c.above()
	case 2:
		return wire.MakeBallot(uint64(f.byte()), wire.ReplicaID(f.byte()%4))
	case 3:
		return wire.MakeBallot(1<<40+uint64(f.byte())<<24, 3)
	case 4:
		return wire.MakeBallot(1<<56-1, 3)
	case 5:
		return 0
	}
	return wire.Ballot(f.number())
}

func (f *forger) slot(r *replica) wire.Slot {
	commit := r.node.Core().Commit()
	switch f.byte() % 6 {
	case 0:
		return wire.Slot(f.byte())
	case 1:
		return commit + wire.Slot(f.byte())
	case 2:
		return commit - min(commit, wire.Slot(f.byte()))
	case 3:
		return wire.MaxSlot - wire.Slot(f.byte())
	case 4:
		return ^wire.Slot(0) - wire.Slot(f.byte())
	}
	return wire.Slot(f.number())
}

// true returns a commit index that is no lie.
func (f *forger) true(s wire.Slot) wire.Slot {
	return min(s, f.c.replicas[1].node.Core().Commit(), f.c.replicas[2].node.Core().Commit())
}

// body returns bytes that are none of what messages carry, or nothing.
func (f *forger) body() []byte {
	n := int(f.byte())
	body := make([]byte, n)
	for i := range min(n, 16) {
		body[i] = f.byte()
	}
	return body
}

// entries returns entries that report nothing that is open: of what a peer says it has accepted, all is believed.
func (f *forger) entries(r *replica, b wire.Ballot) []byte {
	if f.byte()%2 == 0 {
		return f.body()
	}
	var body []byte
	for range f.byte() % 4 {
		e := wire.Entry{Slot: min(f.slot(r), r.node.Core().Commit()), Ballot: b, Payload: wire.MakeBody(f.body())}
		body = wire.AppendEntry(body, &e)
	}
	return body
}

// message draws one. What a crash-tolerant protocol takes on trust is left out, and nothing else: which batches are chosen, as far
// as the lie is about a batch that does something; and so everything that is proposed or claimed here is a no-op or none.
func (f *forger) message(r *replica) wire.Message {
	b, s, s2, n := f.ballot(r), f.slot(r), f.slot(r), f.number()
	commit := f.slot(r)
	if b.Replica() == 3 {
		commit = f.true(commit)
	}
	switch wire.Type(f.byte())%16 + wire.TypePreVote {
	case wire.TypePreVote:
		return wire.NewPreVote(b, s)
	case wire.TypePreVoteReply:
		return wire.NewPreVoteReply(b, n%2 == 0, f.ballot(r), s)
	case wire.TypePrepare:
		return wire.NewPrepare(b, s, int(n))
	case wire.TypePromise:
		return wire.NewPromise(b, s2, s, f.slot(r), n%2 == 0, f.entries(r, f.ballot(r)))
	case wire.TypeAccept:
		return wire.NewAccept(b, s, commit, wire.MakeBody(f.body()))
	case wire.TypeAccepted:
		return wire.NewAccepted(b, s, s2, f.slot(r))
	case wire.TypeReject:
		return wire.NewReject(b, f.ballot(r), s)
	case wire.TypeHeartbeat:
		m := wire.NewHeartbeat(b, n, commit, s)
		m.SetQuestion(s2)
		return m
	case wire.TypeHeartbeatReply:
		m := wire.NewHeartbeatReply(b, n%300, s, s2, f.slot(r))
		m.SetDigest(f.slot(r), f.number())
		return m
	case wire.TypeFetch:
		return wire.NewFetch(s, s2, int(n))
	case wire.TypeEntries:
		m := wire.NewEntries(s, s2, f.true(commit), f.entries(r, b))
		m.SetThrough(wire.Slot(n))
		return m
	case wire.TypeSnapshotFetch:
		return wire.NewSnapshotFetch(s, n, int(f.number()))
	case wire.TypeSnapshotChunk:
		return wire.NewSnapshotChunk(s, n, f.number()%3, f.body())
	case wire.TypeRejoin:
		return wire.NewRejoin(n)
	case wire.TypeRejoinReply:
		return wire.NewRejoinReply(n, b, s)
	default:
		d := wire.DecodeDigests(f.body())
		m := wire.NewDiverged(b, s, &d)
		if n%2 == 0 {
			m.SetAsks()
		}
		return m
	}
}

// FuzzHostilePeer has one of three replicas say what it likes, with valid checksums, to the leader and to the follower: nothing
// panics, nothing that was promised, accepted or known chosen is taken back, what is held stays bounded, and when it has fallen
// silent the two others have a leader and get on.
func FuzzHostilePeer(f *testing.F) {
	f.Add([]byte("Prepare of the last ballot \x02\x04\x04\x04\x04\x04\x04\x04"))
	for seed := range byte(24) {
		data := make([]byte, 1200)
		for i := range data {
			data[i] = byte(uint32(i+1)*2654435761>>13) * (2*seed + 1)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := hostile(t)
		forge := forger{c: c, data: data[:min(len(data), 4096)]}
		for len(forge.data) > 0 {
			r := c.replicas[1+forge.byte()%2]
			ballot, commit := r.node.Core().Ballot(), r.node.Core().Commit()
			_ = r.hear(forge.message(r)) // refused or not
			if now := r.node.Core(); now.Ballot() < ballot || now.Commit() < commit || now.Ahead() > 1<<14 {
				t.Fatalf("replica %d went from ballot %v and commit %d to %v and %d, %d slots ahead", r.id, ballot, commit, now.Ballot(), now.Commit(), now.Ahead())
			}
			if forge.byte()%4 == 0 {
				c.step()
			}
		}
		c.goesOn()
	})
}
