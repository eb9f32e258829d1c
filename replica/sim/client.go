package sim

import (
	"encoding/binary"
	"time"

	"paxosbench/wire"
)

// client is a client with one session and several commands in flight. It follows docs/wire.md and nothing else.
type client struct {
	w       *world
	id      int // from 1
	target  int // replica that it talks to, index
	number  int // of its connections so far
	session wire.SessionID
	nonce   wire.Seq // of the registration

	assigned, sent, answered uint64       // sequence numbers of the session: made, on the wire, answered
	made, answeredEver       uint64       // commands, of all sessions
	pending                  []*operation // answered+1 to assigned
	heard                    time.Duration
	patience                 time.Duration // before it tries another replica; doubles, or many clients drown a slow cluster
	pause                    time.Duration // after a refusal, doubles with every one in a row
	resumeAt                 time.Duration
	retired                  bool
}

// operation is one command and what became of it.
type operation struct {
	client, key int
	op          wire.Op
	value       uint64 // put, compare-and-set: unique
	expected    uint64 // compare-and-set; 0: absent

	called, returned time.Duration
	answered         bool
	status           wire.Status
	found            uint64 // get
}

const (
	clientTick = 8 * time.Millisecond
	leastPause = 16 * time.Millisecond
	mostPause  = 2 * time.Second

	// mostTimeouts is how many times its first timeout a client waits at most.
	mostTimeouts = 8
)

// mostPause is how long a client waits at most that is refused again and again. Without faults all are to get on in time,
// however little may wait to be proposed.
func (w *world) mostPause() time.Duration {
	if w.calm {
		return 4 * leastPause
	}
	return mostPause
}

func newClient(w *world, id int) *client {
	c := &client{w: w, id: id, target: w.rng.IntN(len(w.replicas)), nonce: newNonce(w), patience: w.clientTimeout, pause: leastPause}
	w.after(w.between(0, clientTick), c.tick)
	return c
}

// registerPause is how long a client waits after a registration that has not been answered: not less than an answer takes where
// links are longer than its least pause. Every registration may take a place, and those of impatient clients evict each other for
// ever.
func (c *client) registerPause() time.Duration {
	if c.w.delay <= leastPause {
		return c.pause
	}
	return max(c.pause, 4*c.w.delay+c.w.sync)
}

// newNonce returns a number for a registration. Visitors have others.
func newNonce(w *world) wire.Seq { return wire.Seq(w.rng.Uint32()>>1) | 1 }

// retire ends the making of new commands.
func (c *client) retire() { c.retired = true }

func (c *client) done() bool { return c.answered == c.assigned && c.session != 0 }

func (c *client) tick() {
	c.w.after(clientTick, c.tick)
	if c.w.now-c.heard > c.patience {
		c.heard, c.patience = c.w.now, min(2*c.patience, mostTimeouts*c.w.clientTimeout)
		c.turnTo(c.next())
	}
	if c.session == 0 {
		if c.w.now >= c.resumeAt {
			c.resumeAt, c.pause = c.w.now+c.registerPause(), min(2*c.pause, mostPause/4)
			c.register(c.nonce)
		}
		return
	}
	for !c.retired && len(c.pending) < c.w.window && c.w.chance(c.w.eager) {
		c.make()
	}
	c.send()
}

func (c *client) register(nonce wire.Seq) {
	header := wire.AppendRunHeader(nil, 0, nonce, 0, 1, wire.CommandHeaderSize)
	c.transmit(wire.AppendCommand(header, wire.OpRegister, 0, nil, nil))
}

// turnTo sends everything that is unanswered to another replica, or to the same again.
func (c *client) turnTo(target int) {
	c.target = target
	c.number++
	c.sent = c.answered
	if c.session == 0 {
		c.resumeAt = 0
	}
}

// make makes a command up.
func (c *client) make() {
	rng := c.w.rng
	c.assigned++
	c.made++
	o := &operation{client: c.id, key: rng.IntN(c.w.keys), value: uint64(c.id)<<32 | c.made, called: c.w.now}
	o.op = []wire.Op{wire.OpPut, wire.OpPut, wire.OpGet, wire.OpGet, wire.OpDelete, wire.OpCompareAndSet}[rng.IntN(6)]
	if o.op == wire.OpCompareAndSet {
		o.expected = c.w.check.recent(o.key)
	}
	c.pending = append(c.pending, o)
	c.w.check.history(o)
}

// send sends what is not on the wire as one run.
func (c *client) send() {
	if c.sent == c.assigned || c.w.now < c.resumeAt {
		return
	}
	fragment := wire.BeginRun(nil)
	for _, o := range c.pending[c.sent-c.answered:] {
		fragment = o.append(fragment)
	}
	seen := c.answered - min(c.answered, uint64(c.w.hoard))
	fragment = wire.EndRunAlike(fragment, 0, c.session, wire.Seq(c.sent+1), wire.Seq(seen), int(c.assigned-c.sent))
	c.sent = c.assigned
	c.transmit(fragment)
}

func (o *operation) append(dst []byte) []byte {
	key := []byte{byte(o.key)}
	switch o.op {
	case wire.OpPut:
		return wire.AppendCommand(dst, o.op, 0, key, binary.LittleEndian.AppendUint64(nil, o.value))
	case wire.OpCompareAndSet:
		value := binary.LittleEndian.AppendUint64(nil, o.value)
		if o.expected == 0 {
			return wire.AppendCompareAndSet(dst, wire.FlagExpectAbsent, key, nil, value)
		}
		return wire.AppendCompareAndSet(dst, 0, key, binary.LittleEndian.AppendUint64(nil, o.expected), value)
	}
	return wire.AppendCommand(dst, o.op, 0, key, nil)
}

// transmit sends a fragment of one run to the target.
func (c *client) transmit(fragment []byte) {
	r, o := c.w.replicas[c.target], origin(c.id, c.number)
	c.w.transmit(0, func() {
		if !r.up {
			c.unreachable(int(r.id) - 1)
			return
		}
		r.act(func() {
			if err := r.node.Request(r.clock(), r.connect(o, c.w.window), fragment); err != nil {
				c.w.fail("client %d made a bad fragment: %v", c.id, err)
			}
		}, true)
	})
}

// visit registers a session that nobody is going to use. It takes a place from the one that was active least recently.
func (w *world) visit() {
	w.counts.Visitors++
	first := w.clients[0]
	c := &client{w: w, id: first.id, number: first.number, target: w.rng.IntN(len(w.replicas))}
	if leader := w.leader(); leader != nil {
		c.target = int(leader.id) - 1
	}
	c.register(wire.Seq(w.rng.Uint32()) | 1<<31)
}

// unreachable is what a refused connection leads to.
func (c *client) unreachable(target int) {
	if target == c.target {
		c.turnTo(c.next())
	}
}

// next returns the replica to try after the present one.
func (c *client) next() int { return (c.target + 1) % len(c.w.replicas) }

// redirect is a replica's word that another one leads, or that it knows of none: then the next may know more.
func (c *client) redirect(leader wire.ReplicaID) {
	switch {
	case leader == 0:
		c.patience = c.w.clientTimeout
	case int(leader)-1 != c.target:
		c.turnTo(int(leader) - 1)
	}
}

// answer takes the body of a Reply.
func (c *client) answer(_ *replica, body []byte) {
	for len(body) > 0 {
		run, n, err := wire.DecodeReplyRun(body)
		if err != nil {
			c.w.fail("client %d: bad reply: %v", c.id, err)
		}
		body = body[n:]
		rest := run.Results
		for i := range run.Count {
			result := wire.Result{Status: run.Status}
			if !run.Uniform {
				if result, n, err = wire.DecodeResult(rest); err != nil {
					c.w.fail("client %d: bad result: %v", c.id, err)
				}
				rest = rest[n:]
			}
			c.result(run.Session, run.First+wire.Seq(i), result)
		}
	}
}

// result takes the outcome of one command. Those that were answered before may be answered again, and late.
func (c *client) result(session wire.SessionID, seq wire.Seq, result wire.Result) {
	switch {
	case session == 0:
		c.registered(seq, result)
	case session != c.session || uint64(seq) <= c.answered:
	case result.Status == wire.StatusNoSession:
		c.evicted()
	case !result.Status.Executed():
		c.refused(seq, result.Status)
	case uint64(seq) != c.answered+1:
		c.refused(seq, wire.StatusGap) // an answer before it was lost: ask again
	default:
		c.settle(result)
	}
}

// registered takes the first answer to the registration. After a refusal it comes again by itself.
func (c *client) registered(nonce wire.Seq, result wire.Result) {
	if c.session != 0 || nonce != c.nonce || result.Status == wire.StatusBusy {
		return
	}
	if len(result.Value) != 8 {
		c.w.fail("client %d registers and is answered %v with %d bytes", c.id, result.Status, len(result.Value))
	}
	c.session, c.heard = wire.SessionID(binary.LittleEndian.Uint64(result.Value)), c.w.now
	c.pause, c.resumeAt = leastPause, 0
}

// evicted begins anew: whether the commands without an answer have been executed, nobody can say any more.
func (c *client) evicted() {
	c.session, c.nonce, c.resumeAt = 0, newNonce(c.w), c.w.now+c.pause
	c.assigned, c.sent, c.answered, c.pending = 0, 0, 0, nil
}

func (c *client) refused(seq wire.Seq, status wire.Status) {
	if status == wire.StatusBusy {
		c.w.counts.Busy++
	} else if status != wire.StatusGap {
		c.w.fail("client %d: command %d is answered %v", c.id, seq, status)
	}
	if c.w.now >= c.resumeAt {
		c.resumeAt, c.pause = c.w.now+c.pause, min(2*c.pause, c.w.mostPause())
	}
	c.sent = c.answered
}

func (c *client) settle(result wire.Result) {
	o := c.pending[0]
	c.pending = c.pending[1:]
	c.answered++
	c.answeredEver++
	c.sent = max(c.sent, c.answered)
	c.heard, c.patience, c.pause = c.w.now, c.w.clientTimeout, leastPause
	o.answered, o.returned, o.status = true, c.w.now, result.Status
	if len(result.Value) == 8 {
		o.found = binary.LittleEndian.Uint64(result.Value)
	}
	c.w.logf("client %d: %d is answered %v", c.id, c.answered, o.status)
}
