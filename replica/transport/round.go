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
// ended f is dropped. A burst of posts costs one wake-up. Functions that the loop itself posts run before the sockets
// are looked at again, so a function must not post itself for ever.
func (t *Transport) Post(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.posted = append(t.posted, f)
	if t.running {
		t.schedule() // under the lock, so that stop cannot come in between
	}
}

// Again sees to it that another round follows, after the sockets have been looked at: for work that this one has left. A
// function that is posted would come before them.
func (t *Transport) Again() {
	if !t.again {
		t.again = true
		_, _ = t.anchor.other.Write([]byte{0}) // fails only while Run ends
	}
}

// schedule posts the round unless it is on its way already. gnet runs posted tasks after the connections that epoll has
// reported: the eventfd that Execute writes to is reported by the next epoll_wait, unless another goroutine had just
// written to it, and the tasks come last in either case. So a round sees all connections that were ready when it was
// posted. That costs one write to the eventfd and, inside gnet, two allocations of 32 bytes; per round, not per frame.
func (t *Transport) schedule() {
	if t.scheduled.CompareAndSwap(false, true) {
		_ = t.loop.Execute(context.Background(), t.roundTask) // fails only while the engine stops
	}
}

// arrived notes that something has happened to a connection, and sees to it that a round follows.
func (t *Transport) arrived() {
	if !t.active {
		t.active = true
		t.ReadClock()
		t.schedule()
	}
}

// roundBytes is how much is read before a round comes in between, whoever else may be ready: a few milliseconds' worth. Thousands
// of connections may have a MiB each, and heartbeats are not to wait for all of them. What has to be decrypted counts sealedWeight
// times, as it takes that much longer.
const (
	roundBytes   = 8 << 20
	sealedWeight = 4
)

// longRound is how long a round may take, and what has been posted meanwhile still be done before the sockets are looked at.
const longRound = time.Millisecond

// endIteration runs as a posted task. gnet runs tasks until there are none, and looks at no socket before that. A round that takes longer
// than a tick would find the next one posted, again and again, and no vote would be read for as long as there is much to do: so until
// it ends nobody else posts one.
func (t *Transport) endIteration(ctx context.Context) error {
	began := t.ReadClock()
	t.giveTurns()
	err := t.round(ctx)
	t.scheduled.Store(false)
	switch {
	case !t.wanted():
	case t.ReadClock()-began > longRound:
		t.active = false // what comes from the sockets posts the round
		t.Again()
	default:
		t.schedule()
	}
	return err
}

// wanted reports whether something has happened since the last round began that calls for another.
func (t *Transport) wanted() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.active || t.tickDue.Load() || len(t.posted) > 0
}

// round ends an iteration, or comes in the midst of a long one, when a connection has been served.
func (t *Transport) round(context.Context) error {
	t.again, t.taken = false, 0
	t.ReadClock()
	t.runPosted()
	ticked := t.tickDue.Swap(false)
	if ticked || len(t.unread.clients) <= fewUnread {
		t.lookAtUnread()
	}
	if ticked {
		t.active = true
		t.sweep()
		t.closeStuck()
		t.sayNameless()
		t.handler.Tick(t.now)
	}
	t.deliver()
	if !t.active {
		return nil
	}
	t.active = false
	t.handler.Round(t.now)
	t.flushPeers()
	t.flushClients()
	t.stats.Rounds++
	t.publish()
	return nil
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

// tickLoop has the loop tick. It does nothing else: the loop may be busy, and then one tick stands for several.
func (t *Transport) tickLoop(ctx context.Context) {
	ticker := time.NewTicker(t.cfg.Tick)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			t.tickDue.Store(true)
			t.schedule()
		case <-ctx.Done():
			return
		}
	}
}
