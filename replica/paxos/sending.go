package paxos

import (
	"time"

	"paxosbench/wire"
	"paxosbench/wire/ring"
)

// A leader sends each acceptor its Accepts in slot order, and no more of them than its acknowledgements show that the way
// there carries (see Flow). What has no room waits in the log: it is sent as acknowledgements come, or not at all if the
// others have chosen it meanwhile. Then the acceptor fetches it. So a slow peer costs the leader no memory, and nothing
// waits behind megabytes that are of no use any more; and an acceptor that the quorum needs is what the window waits for,
// at whatever pace it has.
//
// What is lost is sent again: from the first slot that is missing, because a stream that has lost something has lost
// what came behind it as well (go-back-N), and only what the acceptor has not voted for.

// sending is what a leader has under way to one acceptor.
type sending struct {
	flow   Flow
	next   wire.Slot // first slot that has not been sent
	sent   wire.Slot // highest slot that has ever been sent, under this leadership
	commit wire.Slot // the acceptor's commit index, as it said last

	// Whether it keeps up (see noteProgress): it had to get as far as mark, which was chosen when the round began that it answered
	// at marked, and lags if that took it too long.
	mark   wire.Slot
	marked time.Duration
	lags   bool

	// Accepts that have been sent and neither they nor later ones are acknowledged.
	underway ring.Queue[sentAccept]
	bytes    int
	heard    time.Duration // when the first of them was sent or, later, the last one acknowledged

	measured sentAccept    // the way is measured by the answer to this one; slot 0: by that to the next
	since    time.Duration // when it was sent
	rewound  time.Duration // when something was found to be lost last
}

type sentAccept struct {
	slot  wire.Slot
	bytes int
}

// restart begins a leadership, whose first slot is next. What is known of the way holds on.
func (p *sending) restart(next wire.Slot, now time.Duration) {
	p.underway.Clear()
	*p = sending{flow: p.flow, next: next, commit: next - 1, mark: next - 1, marked: now, underway: p.underway}
}

// newSending returns the flows of a leader that has not sent anything.
func newSending(cfg *Config) (s [wire.MaxReplicas + 1]sending) {
	for _, id := range cfg.Replicas {
		s[id].flow = NewFlow(cfg.WindowBytes, cfg.ElectionTimeout, cfg.Heartbeat)
	}
	return s
}

// hasRoom reports whether one more Accept may be sent. One batch may exceed the bound.
func (p *sending) hasRoom() bool { return p.bytes < p.flow.Bytes() }

// push notes that an Accept has been sent.
func (p *sending) push(s wire.Slot, bytes int, now time.Duration) {
	if p.underway.Len() == 0 {
		p.heard = now
	}
	p.underway.Push(sentAccept{s, bytes})
	p.bytes += bytes
	if p.measured.slot == 0 && s > p.sent {
		p.measured.slot, p.since = s, now
	}
	p.measured.bytes = max(p.measured.bytes, p.bytes)
	p.sent = max(p.sent, s)
}

// acknowledged notes that the Accepts up to a slot have come, or been lost: the way is in order.
func (p *sending) acknowledged(s wire.Slot, now time.Duration) {
	for p.underway.Len() > 0 && p.underway.At(0).slot <= s {
		p.bytes -= p.underway.Pop().bytes
		p.heard = now
	}
	if m := p.measured; m.slot != 0 && m.slot <= s {
		p.flow.Took(now-p.since, m.bytes)
		p.measured = sentAccept{}
	}
}

// oldest returns the first slot that is under way, or the next to be sent if none is.
func (p *sending) oldest() wire.Slot {
	if p.underway.Len() > 0 {
		return p.underway.At(0).slot
	}
	return p.next
}

// rewind has everything from a slot on sent again. What is under way counts as lost. The way is not measured by what is
// sent twice, because nothing tells which of the two was answered.
func (p *sending) rewind(next wire.Slot, now time.Duration) {
	p.underway.Clear()
	p.bytes, p.measured = 0, sentAccept{}
	p.next, p.rewound = min(p.next, next), now
}

// leftBehind reports whether an acceptor has to catch up before it is of use again: it lags, and the others are enough. What it
// were sent meanwhile it would have to keep, on its disk too, until it has come so far.
func (c *Core) leftBehind(id wire.ReplicaID) bool { return c.sending[id].lags && c.canSpare(id) }

// noteProgress judges an acceptor by its commit index, which it tells in its answer to a round: it lags if it has needed more than
// lagHeartbeats to get from one mark to the next, which is as far as the leader was meanwhile, and has not caught up. So a new
// server's progress is judged before it is counted on (Ongaro's dissertation, 4.2.1). A count of slots would not do: it says
// nothing of the time, which is a second at one size of batches and a millisecond at another; and what an acceptor has not told
// yet, because the way is long, is no lag.
func (c *Core) noteProgress(id wire.ReplicaID, commit wire.Slot, r *round) {
	p := &c.sending[id]
	inFlight, _ := c.window.InFlight()
	near := commit+wire.Slot(lagWindows*max(inFlight, leastLag)) >= r.commit
	late := r.started > p.marked+lagHeartbeats*c.cfg.Heartbeat
	reached := commit >= p.mark
	if near || late || reached {
		p.lags = late && !near
	}
	if reached {
		p.mark, p.marked = r.commit, r.started
	}
}

// An acceptor that is so many windows behind, or so many times leastLag slots if a window holds less, has caught up as well as
// one that is where the leader was so many heartbeats ago.
const (
	lagWindows    = 4
	leastLag      = 16
	lagHeartbeats = 4
)

// sendOpen sends an acceptor the open slots that it has not been sent, as far as there is room. What it could not take
// before it has caught up is not sent.
func (c *Core) sendOpen(to wire.ReplicaID) {
	p := &c.sending[to]
	p.next = max(p.next, c.commit+1)
	if c.leftBehind(to) {
		return
	}
	for p.next < c.window.Next() && p.hasRoom() && p.next <= p.commit+c.cfg.Limits.MaxAhead {
		s := p.next
		p.next++
		e := c.log.get(s)
		if e == nil || c.window.Votes(s).Has(to) {
			continue
		}
		if s <= p.sent {
			c.stats.Resent++
		}
		p.push(s, len(e.Body)+wire.MessageHeaderSize, c.now)
		c.sendTo(to, c.acceptMessage(s, e))
	}
}

// acknowledge takes note of what an acceptor says it has accepted, and sends it more.
func (c *Core) acknowledge(from wire.ReplicaID, through, commit wire.Slot) {
	p := &c.sending[from]
	p.commit = commit
	p.acknowledged(through, c.now)
	c.sendOpen(from)
}

// resendLost sends again what an acceptor has not received although nothing of it is under way: it answers a heartbeat
// round r, and has received what is above the commit index up to received. An answer to a round that began before the last
// resend knows nothing of that.
func (c *Core) resendLost(from wire.ReplicaID, received wire.Slot, r *round) {
	p := &c.sending[from]
	first := max(min(received, r.proposed), c.commit) + 1
	if first <= r.proposed && first < p.oldest() && r.started >= p.rewound && c.now >= p.rewound+p.flow.Patience() {
		p.rewind(first, c.now)
	}
	c.sendOpen(from)
}

// hears notes that an acceptor has answered this leader. What was sent to one that was away is lost.
func (c *Core) hears(from wire.ReplicaID) {
	if p := &c.sending[from]; c.now > c.heard[from]+c.cfg.ElectionTimeout {
		p.flow.Resume()
		p.rewind(c.commit+1, 0)
	}
	c.heard[from], c.replied[from] = c.now, true
}

// tickSending gives up what has not been acknowledged for too long.
func (c *Core) tickSending() {
	for _, id := range c.cfg.Replicas {
		if p := &c.sending[id]; p.bytes > 0 && c.now >= p.heard+p.flow.Patience() {
			p.flow.Silent()
			p.rewind(c.commit+1, c.now)
			c.sendOpen(id)
		}
	}
}
