package sim

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"paxosbench/wire"
)

// reader is a client that only gets, beside the log. It has one query at a time. One that is not answered soon it gives up
// for another, and asks the same replica as often as not: a leader that was deposed and does not know it is to be asked
// for what has happened since.
type reader struct {
	w       *world
	id      int           // follows those of the clients
	target  int           // replica that it talks to, index
	seq     wire.Seq      // of the newest query
	pending *operation    // nil: none
	sendAt  time.Duration // again
	loyal   time.Duration // until then it asks no other replica
	retired bool
}

const (
	numReaders = 2

	// readerWindow is how often a query can be asked over one connection. Each has its own.
	readerWindow = 4
	readerTick   = 6 * time.Millisecond

	// deposeEvery is the mean time between two depositions.
	deposeEvery = 2 * time.Second

	// leaseDrift is how much faster or slower than true time clocks may run for leases to hold: one is then at most a
	// ninth faster than another (see paxos/reads.go).
	leaseDrift = 0.05
)

// drawReads draws how gets are served beside the log, if they are. It has random numbers of its own, so that the rest of a
// seed's plan does not depend on it. A lease does not survive a clock that jumps or stands still, nor does it have to.
func (p *plan) drawReads() {
	rng := rand.New(rand.NewPCG(p.seed, 3))
	p.reads = []wire.Reads{wire.ReadsLog, wire.ReadsLog, wire.ReadsIndex, wire.ReadsLease}[rng.IntN(4)]
	if p.reads == wire.ReadsLease {
		p.drift, p.jumps, p.freezes = min(p.drift, leaseDrift), 0, 0
	}
}

func (w *world) makeReaders() {
	for i := range numReaders {
		if w.reads == wire.ReadsLog {
			return
		}
		d := &reader{w: w, id: len(w.clients) + i + 1, target: w.rng.IntN(len(w.replicas))}
		w.readers = append(w.readers, d)
		w.after(w.between(0, readerTick), d.tick)
	}
	w.every(deposeEvery, w.depose)
}

// depose has the leader paused and cut off until the others have another one and have got on, and asked meanwhile. When it
// wakes up it finds queries, and perhaps answers to its last round, and thinks that it leads.
func (w *world) depose() {
	leader := w.leader()
	if leader == nil || len(w.replicas) < 3 || leader.paused || w.plotting {
		return
	}
	w.counts.Deposed++
	w.logf("%d is to be deposed in its sleep", leader.id)
	others, commit, until := w.others(leader), leader.node.Core().Commit(), w.now+12*w.electionTimeout
	leader.pause(until - w.now)
	w.cut([]*replica{leader}, others)
	w.after(w.heartbeat, func() {
		if !w.calm && !w.plotting {
			w.cut(others, []*replica{leader})
		}
	})
	for _, d := range w.readers {
		d.target, d.loyal = int(leader.id)-1, until
	}
	w.awake(leader, commit, until)
}

// awake resumes a leader that was deposed in its sleep once others have had so much more chosen that clients have seen
// some of it.
func (w *world) awake(leader *replica, commit wire.Slot, until time.Duration) {
	next := w.leader()
	switch {
	case w.calm || w.plotting:
	case !leader.paused: // it has died meanwhile
		w.join(w.replicas, w.replicas)
	case w.now < until && (next == nil || next == leader || next.node.Core().Commit() < commit+8):
		w.after(w.heartbeat, func() { w.awake(leader, commit, until) })
	default:
		w.after(w.readTimeout, func() {
			if leader.paused {
				leader.resume()
			}
		})
		w.after(2*w.readTimeout, func() {
			if !w.calm && !w.plotting {
				w.join(w.replicas, w.replicas)
			}
		})
	}
}

func (d *reader) tick() {
	d.w.after(readerTick, d.tick)
	late := d.pending != nil && d.w.now >= d.sendAt
	switch {
	case !d.retired && (late || d.pending == nil && d.w.chance(0.5)):
		d.seq++
		d.pending = &operation{client: d.id, key: d.w.rng.IntN(d.w.keys), op: wire.OpGet, called: d.w.now}
		d.w.check.history(d.pending)
		d.send()
	case late: // in the end every query is answered
		d.send()
	}
}

// send sends the query.
func (d *reader) send() {
	w := d.w
	command := d.pending.append(nil)
	fragment := append(wire.AppendRunHeader(nil, wire.SessionID(d.id), d.seq, d.seq-1, 1, len(command)), command...)
	d.sendAt = w.now + w.readTimeout
	r, o := w.replicas[d.target], origin(d.id, int(d.seq))
	if w.now >= d.loyal && w.chance(0.5) {
		d.target = w.rng.IntN(len(w.replicas))
	}
	w.transmit(0, func() {
		if r.up {
			r.act(func() {
				if err := r.node.Query(r.connect(o, readerWindow), fragment); err != nil {
					w.fail("reader %d made a bad query: %v", d.id, err)
				}
			}, true)
		}
	})
}

// redirect is a replica's word that another one leads.
func (d *reader) redirect(leader wire.ReplicaID) {
	if leader != 0 {
		d.loyal = 0
		d.target, d.sendAt = int(leader)-1, min(d.sendAt, d.w.now+leastPause)
	}
}

// answer takes the body of a QueryReply of a replica. One that is refused comes again when it is late.
func (d *reader) answer(r *replica, body []byte) {
	run, _, err := wire.DecodeReplyRun(body)
	if err != nil {
		d.w.fail("reader %d: bad reply: %v", d.id, err)
	}
	if d.pending == nil || run.First != d.seq || run.Uniform && run.Status == wire.StatusBusy {
		return // answered before, or refused for now
	}
	o := d.pending
	o.answered, o.returned, o.status = true, d.w.now, run.Status
	if !run.Uniform {
		result, _, err := wire.DecodeResult(run.Results)
		if err != nil || len(result.Value) != 8 {
			d.w.fail("reader %d: bad result: %v, %v", d.id, result, err)
		}
		o.status, o.found = result.Status, binary.LittleEndian.Uint64(result.Value)
	}
	d.w.counts.Queries++
	d.w.logf("reader %d: %d finds %x under key %d", d.id, d.seq, o.found, o.key)
	d.pending, d.target = nil, int(r.id)-1
}

// retireReaders ends the making of new queries.
func (w *world) retireReaders() {
	for _, d := range w.readers {
		d.retired = true
	}
}

// allRead reports whether every query is answered.
func (w *world) allRead() bool {
	for _, d := range w.readers {
		if d.pending != nil {
			return false
		}
	}
	return true
}
