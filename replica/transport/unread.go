package transport

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"paxosbench/wire"
)

// unread keeps account of the answers that clients have not taken yet, over all of them.
//
// A client may have a part of what is free queued, which shrinks with every byte that others hold: a few may have much, and
// among ten thousand that read nothing each comes to hold little, with something always left for one more (Choudhury and
// Hahne's dynamic thresholds). A client that has its share queued is not read any more until it has taken half of it: its own
// requests wait, and nobody else's. Only one that takes nothing at all is closed.
type unread struct {
	limit   int       // bytes, over all clients
	held    int       // bytes, when each client was last looked at
	clients []*Client // that had something queued then, or wait for room

	lastLook time.Duration // at whether they take anything
}

const (
	// maxQueued is the most that is queued for a client, however much is free: more than any link takes until the next tick.
	maxQueued = 8 << 20

	// freeShare is the part of what is free that one client may have queued.
	freeShare = 8

	// maxAnswer is the longest answer, with the frame around it.
	maxAnswer = wire.PrefixSize + wire.ReplyRunHeaderSize + wire.ResultHeaderSize + wire.MaxValue

	// A client that has answers queued and takes none of them is closed after stuckAfter, and after stuckShort while three
	// quarters of the memory for answers are taken. It is looked at every stuckEvery.
	stuckAfter = 10 * time.Second
	stuckShort = time.Second
	stuckEvery = 250 * time.Millisecond

	// longOut is how much output of a client is not kept until the end of the round.
	longOut = 1 << 20

	// fewUnread is how many clients are looked at in every round; if there are more they are looked at with every tick.
	fewUnread = 16
)

func (u *unread) free() int { return max(0, u.limit-u.held) }

// share is what one client may have queued at present.
func (u *unread) share() int { return min(maxQueued, u.free()/freeShare) }

// Begin returns where to append answers, and how many bytes of values there is room for; ok is false if the client has gone.
// What is no value may always be appended. Where room is less than a value needs, Handler.Room follows once there is more.
func (c *Client) Begin() (out []byte, room int, ok bool) {
	if !c.Touch() {
		return nil, 0, false
	}
	c.account()
	return c.Out, c.room(), true
}

// End takes back what Begin returned. What has become long is written at once: buffers that grow to many megabytes in every round
// and are thrown away behind it leave more lying than the collector keeps up with.
func (c *Client) End(out []byte) {
	c.Out = out
	if len(out) >= longOut {
		c.flush()
	} else {
		c.account()
	}
}

// room returns how many bytes may be queued besides those that are. A client with none has room for one answer of any
// length, as long as there is memory for that.
func (c *Client) room() int {
	u := &c.t.unread
	room := u.share() - c.queued
	if c.queued == 0 && u.free() >= maxAnswer {
		room = max(room, maxAnswer)
	}
	if room < maxAnswer {
		c.waits = true
	}
	return max(room, 0)
}

// account notes how much is queued for the client: in gnet, where a few bytes take as much as a piece, and in Out.
func (c *Client) account() {
	queued := 0
	if c.live() {
		queued = len(c.Out)
		if n := c.raw.OutboundBuffered(); n > 0 {
			queued += max(n, writePiece)
		}
	}
	c.t.unread.held += queued - c.queued
	c.queued = queued
}

// settle accounts for the client after its output has been written, and stops reading its requests if too much of that was
// left behind.
func (c *Client) settle() {
	c.account()
	if !c.live() || c.queued == 0 && !c.waits {
		return
	}
	u := &c.t.unread
	if c.queued > 0 && c.queued >= u.share() {
		c.waits = true
		c.pause(forRoom)
	}
	if !c.listed {
		c.listed, c.unmoved = true, 0
		u.clients = append(u.clients, c)
	}
}

// lookAtUnread brings the account up to date, for gnet says nothing when it has written, and lets those go on that have
// room again.
func (t *Transport) lookAtUnread() {
	u := &t.unread
	kept := u.clients[:0]
	for _, c := range u.clients {
		c.account()
		if c.live() && c.waits && c.queued <= u.share()/2 {
			c.waits = false
			c.resume(forRoom)
			if c.greeted {
				t.handler.Room(c)
			}
		}
		if c.live() && (c.queued > 0 || c.waits) {
			kept = append(kept, c)
		} else {
			c.listed = false
		}
	}
	clear(u.clients[len(kept):])
	u.clients = kept
}

// closeStuck closes the clients that take nothing of what is queued for them. Time is counted in looks: while the loop is held
// up nobody is blamed.
func (t *Transport) closeStuck() {
	u := &t.unread
	if t.now-u.lastLook < stuckEvery {
		return
	}
	u.lastLook = t.now
	limit := stuckAfter
	if u.free() < u.limit/4 {
		limit = stuckShort
	}
	for _, c := range u.clients {
		if c.live() && c.queued > 0 && c.stuckFor() > limit {
			c.fault(FaultSlowReader, fmt.Sprintf("%d bytes of answers unread, and none taken for %v", c.queued, limit))
		}
	}
}

// stuckFor returns for how long the client's end has not acknowledged a byte. What the kernel holds tells, not what gnet
// does: the kernel asks for more only when much of its buffer has become free.
func (c *Client) stuckFor() time.Duration {
	waiting, err := unix.IoctlGetInt(c.raw.Fd(), unix.SIOCOUTQ)
	if err != nil {
		waiting = 0
	}
	taken := c.sent - uint64(c.raw.OutboundBuffered()+waiting)
	if taken != c.taken {
		c.taken, c.unmoved = taken, 0
	} else {
		c.unmoved++
	}
	return time.Duration(c.unmoved) * stuckEvery
}

// Held returns the bytes that the transport holds for clients: answers that they have not taken, frames that have not arrived
// whole, and what is kept for the next answers.
func (t *Transport) Held() int { return t.unread.held + t.partials.held + t.outs.kept }

// Trim lets go of buffers that were not needed since the last Trim.
func (t *Transport) Trim() { t.outs.trim() }
