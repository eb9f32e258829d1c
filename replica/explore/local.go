package explore

import (
	"fmt"
	"slices"

	"paxosbench/replica/paxos"
	"paxosbench/wire"
)

// check looks at what a core has done in one step, before it is carried out: l is the state after the call, without the new
// records.
func (r *replicaSpace) check(before, l *local, e event, ready *paxos.Ready) error {
	if a := ready.Accusations; len(a) > 0 {
		return fmt.Errorf("replica %d accuses replica %d: %s", r.id, a[0].Peer, a[0].Text)
	}
	if e == crash || e == lose {
		return r.checkRestart(l)
	}
	if now, was := l.core.Commit(), before.core.Commit(); now < was {
		return fmt.Errorf("replica %d takes its commit index back from %d to %d", r.id, was, now)
	}
	if err := r.checkRecords(l, ready.Records); err != nil {
		return err
	}
	for i := range ready.Messages {
		if err := r.checkMessage(l, e, &ready.Messages[i]); err != nil {
			return err
		}
	}
	return nil
}

// checkRestart: a replica comes back with what it had promised, with the commit index that is durable, and without a vote if it
// has lost its disk.
func (r *replicaSpace) checkRestart(l *local) error {
	if l.amnesiac && l.core.Voting() {
		return fmt.Errorf("replica %d votes, and has lost what it had promised", r.id)
	}
	if got, want := l.core.Ballot(), promised(l.disk); got < want {
		return fmt.Errorf("replica %d comes back with the promise of %v, durable is that of %v", r.id, got, want)
	}
	for i := range l.disk {
		if got, want := l.core.Commit(), l.disk[i].Commit; got < want {
			return fmt.Errorf("replica %d comes back with commit index %d, a durable record carries %d", r.id, got, want)
		}
	}
	return nil
}

// promised returns the highest ballot that records promise.
func promised(records []wire.Record) (b wire.Ballot) {
	for i := range records {
		if promises(&records[i]) {
			b = max(b, records[i].Ballot)
		}
	}
	return b
}

// promises reports whether a record promises its ballot. An acceptance does, too.
func promises(rec *wire.Record) bool {
	return rec.Kind == wire.RecordPromise || rec.Kind == wire.RecordAccept
}

// checkRecords: no record of a ballot below one that was promised; and who does not vote accepts nothing.
func (r *replicaSpace) checkRecords(l *local, records []wire.Record) error {
	floor := max(promised(l.disk), promised(l.pending))
	for i := range records {
		rec := &records[i]
		switch {
		case !promises(rec):
		case rec.Ballot < floor:
			return fmt.Errorf("replica %d appends a record of ballot %v, but has promised %v", r.id, rec.Ballot, floor)
		case rec.Kind == wire.RecordAccept && !l.core.Voting():
			return fmt.Errorf("replica %d accepts slot %d and does not vote", r.id, rec.Slot)
		}
	}
	return nil
}

// checkMessage: nothing is said before it is durable, no ballot is used by two lives, and who does not vote gives no vote.
func (r *replicaSpace) checkMessage(l *local, e event, m *wire.Message) error {
	if !l.core.Voting() && isVote(m) {
		return fmt.Errorf("replica %d sends %v and does not vote", r.id, m)
	}
	switch m.Type {
	case wire.TypePrepare:
		if slices.Contains(l.usedBefore, m.Ballot) {
			return fmt.Errorf("replica %d uses ballot %v in a second life", r.id, m.Ballot)
		}
		return r.checkPromised(l, m)
	case wire.TypePromise, wire.TypeAccept:
		return r.checkPromised(l, m)
	case wire.TypeAccepted:
		return r.checkAccepted(l, m, m.Slot)
	case wire.TypeHeartbeatReply:
		if e.kind() == deliver && m.Voting() {
			return r.checkAccepted(l, m, r.net.messages[e.about()].Commit+1)
		}
	}
	return nil
}

func isVote(m *wire.Message) bool {
	switch m.Type {
	case wire.TypePromise, wire.TypeAccepted:
		return true
	case wire.TypePreVoteReply:
		return m.Granted()
	case wire.TypeHeartbeatReply:
		return m.Voting()
	}
	return false
}

func (r *replicaSpace) checkPromised(l *local, m *wire.Message) error {
	if durable := promised(l.disk); durable < m.Ballot {
		return fmt.Errorf("replica %d sends %v, but only %v is durable", r.id, m, durable)
	}
	return nil
}

// checkAccepted: what is said to be accepted is durable under that ballot or a higher one, or known chosen.
func (r *replicaSpace) checkAccepted(l *local, m *wire.Message, first wire.Slot) error {
	last := m.Last()
	if m.Type == wire.TypeHeartbeatReply {
		last = m.Durable()
	}
	for s := max(first, l.core.Commit()+1); s <= last; s++ {
		if !slices.ContainsFunc(l.disk, func(rec wire.Record) bool {
			return rec.Kind == wire.RecordAccept && rec.Slot == s && rec.Ballot >= m.Ballot
		}) {
			return fmt.Errorf("replica %d sends %v, but has not accepted slot %d durably", r.id, m, s)
		}
	}
	return nil
}
