package transport

import (
	"context"
	"time"
)

// Now returns the time since New, as read when the present iteration's first bytes arrived and again when its round
// began.
func (t *Transport) Now() time.Duration { return t.now }

// ReadClock brings Now up to date and returns it: for what must not be taken to have arrived earlier than it has. It is
// called on the loop.
func (t *Transport) ReadClock() time.Duration {
	t.now = time.Since(t.start)
	return t.now
}

// Post has f called on the loop, before the next Round. Any goroutine may call it, also before Run; after Run has
// ended f is dropped. A burst of posts costs one wake-up. The sockets are looked at before.
func (t *Transport) Post(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.posted = append(t.posted, f)
	if t.running {
		t.ring() // under the lock, so that stop cannot come in between
	}
}

// ring has the loop come to a round, if nobody has rung since the last one began. Any goroutine may call it.
func (t *Transport) ring() {
	if !t.rung.Swap(true) {
		_, _ = t.anchor.other.Write([]byte{0}) // fails only while Run ends
	}
}

// Again sees to it that another round follows, after the sockets have been looked at: for work that this one has left.
func (t *Transport) Again() { t.active = true }

// arrived notes that something has happened to a connection, and sees to it that a round follows.
//
// In an iteration of gnet's that is a task, which gnet runs after the connections that epoll has reported.
func (t *Transport) arrived() {
	t.active = true
	if !t.inside && !t.due {
		t.due = true
		t.ReadClock()
		_ = t.loop.Execute(context.Background(), t.stays) // fails only while the engine stops
	}
}

// roundBytes is how much is read before a round comes in between, whoever else may be ready: a few milliseconds' worth. Thousands
// of connections may have a MiB each, and heartbeats are not to wait for all of them. What has to be decrypted counts sealedWeight
// times, as it takes that much longer.
const (
	roundBytes   = 8 << 20
	sealedWeight = 4
)

// endIteration comes when all connections that were ready have been read.
func (t *Transport) endIteration() {
	t.giveTurns()
	t.round()
}

// round ends an iteration, or comes in the midst of a long one, when a connection has been served.
func (t *Transport) round() {
	t.rung.Store(false)
	t.taken = 0
	t.ReadClock()
	t.runPosted()
	ticked := t.now >= t.nextTick
	if ticked || len(t.unread.clients) <= fewUnread {
		t.lookAtUnread()
	}
	if ticked {
		t.active, t.nextTick = true, t.now+t.cfg.Tick
		t.sweep()
		t.closeStuck()
		t.sayNameless()
		t.handler.Tick(t.now)
	}
	t.deliver()
	if !t.active {
		return
	}
	t.active = false
	t.handler.Round(t.now)
	t.flushPeers()
	t.flushClients()
	t.stats.Rounds++
	t.publish()
}

func (t *Transport) runPosted() {
	t.mu.Lock()
	posted := t.posted
	t.posted, t.spare = t.spare[:0], posted
	t.mu.Unlock()
	for i, f := range posted {
		posted[i] = nil
		t.active = true
		f()
	}
}

// note has the Handler told that a client has closed, before a round that follows.
func (t *Transport) note(closed *Client) {
	t.gone = append(t.gone, closed)
	t.arrived()
}

// deliver tells the Handler which clients have closed. It is never called from inside the Handler; the Handler's doings may
// add some meanwhile, at the end.
func (t *Transport) deliver() {
	for i := 0; i < len(t.gone); i++ {
		t.handler.ClientClosed(t.gone[i])
	}
	clear(t.gone)
	t.gone = t.gone[:0]
}

// flushClients writes each client that has output, once.
func (t *Transport) flushClients() {
	for i, c := range t.dirty {
		t.dirty[i] = nil
		c.flush()
	}
	t.dirty = t.dirty[:0]
}

// sweep closes the connections that have missed a deadline. It looks at them all, but not often.
func (t *Transport) sweep() {
	if t.now-t.lastSweep < t.sweepEvery {
		return
	}
	t.lastSweep = t.now
	for i := range t.clients.places {
		if c := t.clients.places[i].client; c != nil && c.paused == 0 {
			c.overdue(c.greeted)
		}
	}
	for l := range t.links {
		l.overdue(l.up)
	}
	t.endIdle()
}
