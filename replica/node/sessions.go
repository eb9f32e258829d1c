package node

import (
	"fmt"
	"time"

	"paxosbench/wire"
)

// A registration becomes part of the log with a stamp: what makes the session's id one that nobody can guess, whose it is, and when
// it came (see wire.Stamp). So the state machine, which knows no clock, no chance and no connections, does the same everywhere.

// A connection may register registerBurst sessions at once, and one more every registerEvery.
const (
	registerBurst = 4096
	registerEvery = time.Millisecond
)

// quota is what a connection has used of that.
type quota struct {
	used int
	at   time.Duration // as of
}

// take takes one, if there is one left.
func (q *quota) take(now time.Duration) bool {
	if back := int((now - q.at) / registerEvery); back > 0 {
		q.used, q.at = max(0, q.used-back), now
	}
	if q.used >= registerBurst {
		return false
	}
	q.used++
	return true
}

// term is what tells the registrations of one leadership from those of others.
type term struct {
	id    uint64 // 0: none has been taken
	began time.Duration
}

// sift returns what of a checked fragment may join the log, nil if nothing: registrations with stamps, as many as the connection
// has left, and what is for sessions that are not somebody else's. The rest is answered here. It is valid until the next call.
func (n *Node) sift(now time.Duration, c *Client, fragment []byte, info wire.FragmentInfo) ([]byte, wire.FragmentInfo, error) {
	switch {
	case !n.Leads():
		return fragment, info, nil // it goes elsewhere
	case info.Registrations == 0 && n.mayUseAll(c, fragment):
		return fragment, info, nil
	case len(fragment)+info.Registrations*wire.StampSize > wire.MaxBatch:
		n.stats.Busy += uint64(info.Commands)
		n.refuse(c, fragment, wire.TypeReply, wire.StatusBusy)
		return nil, info, nil
	}
	kept := wire.FragmentInfo{}
	n.sifted = n.sifted[:0]
	for rest := fragment; len(rest) > 0; {
		run, size, err := wire.DecodeRun(rest)
		if err != nil {
			panic("BUG: checked fragment does not decode: " + err.Error())
		}
		part := rest[:size]
		rest = rest[size:]
		switch {
		case run.Session == 0 && size != wire.RunHeaderSize+wire.CommandHeaderSize:
			return nil, info, fmt.Errorf("%w: registration with a value", wire.ErrField)
		case run.Session == 0 && !c.registrations.take(now):
			n.stats.Busy++
			n.refuse(c, part, wire.TypeReply, wire.StatusBusy)
			continue
		case run.Session == 0:
			n.sifted = n.appendStamped(n.sifted, now, c, &run)
		case n.cfg.Owners && !n.state.MayUse(run.Session, c.Owner):
			n.stats.Foreign += uint64(run.Count)
			n.refuse(c, part, wire.TypeReply, wire.StatusNoSession)
			continue
		default:
			n.sifted = append(n.sifted, part...)
		}
		kept.Runs++
		kept.Commands += run.Count
	}
	if kept.Runs == 0 && info.Runs > 0 {
		return nil, kept, nil
	}
	return n.sifted, kept, nil
}

// mayUseAll reports whether no run of a checked fragment is for a session of somebody else.
func (n *Node) mayUseAll(c *Client, fragment []byte) bool {
	for len(fragment) > 0 {
		run, size, err := wire.DecodeRun(fragment)
		if err != nil || !n.state.MayUse(run.Session, c.Owner) {
			return false
		}
		fragment = fragment[size:]
	}
	return true
}

// appendStamped appends a registration with its stamp.
func (n *Node) appendStamped(dst []byte, now time.Duration, c *Client, run *wire.Run) []byte {
	if n.term.id == 0 {
		n.term = term{id: max(n.cfg.Random(), 1), began: now}
	}
	dst = wire.AppendRunHeader(dst, 0, run.First, run.Seen, 1, wire.CommandHeaderSize+wire.StampSize)
	dst = wire.AppendCommandHeader(dst, wire.OpRegister, 0, 0, wire.StampSize)
	return wire.AppendStamp(dst, wire.Stamp{Random: n.cfg.Random(), Owner: c.Owner, Term: n.term.id, At: now - n.term.began})
}
