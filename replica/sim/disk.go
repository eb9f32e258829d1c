package sim

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"paxosbench/replica/journal"
	"paxosbench/replica/node"
	"paxosbench/replica/paxos"
	"paxosbench/wire"
)

var errDisk = errors.New("simulated disk error")

// staged is a record that is not durable yet.
type staged struct {
	lsn journal.LSN
	wire.Record
}

// Append implements node.Env.
func (r *replica) Append(rec *wire.Record) {
	r.w.check.append(r, rec)
	r.appended++
	lsn := r.journal.Append(rec)
	if r.w.durability != journal.DurabilityNone {
		r.disk.write(lsn, rec)
	}
	r.staged = append(r.staged, staged{lsn, *rec})
}

// isDurable tells the checkers that a record is as durable as the replica's configuration makes it.
func (r *replica) isDurable(rec *wire.Record) {
	r.disk.add(rec)
	r.voted = r.voted || rec.Kind.IsVote()
	r.w.check.accepted(r, rec)
}

// Persist implements node.Env.
func (r *replica) Persist(alone bool) uint64 {
	if r.w.durability == journal.DurabilityNone {
		return r.flush()
	}
	if alone && !r.flushing && r.stalled <= r.w.now && r.w.chance(0.5) {
		return r.flush()
	}
	if !r.flushing {
		r.flushing = true
		r.whileAlive(r.w.exponential(r.w.sync), r.finishFlush)
	}
	return 0
}

// finishFlush is what the sync thread's word leads to. It comes when the disk does something again.
func (r *replica) finishFlush() {
	if r.stalled > r.w.now {
		r.whileAlive(r.stalled-r.w.now, r.finishFlush)
		return
	}
	r.act(func() {
		r.flushing = false
		if n := r.flush(); n > 0 {
			r.node.Persisted(r.clock(), n)
		}
	}, true)
}

// flush makes what is staged durable and returns how many records of this life are.
func (r *replica) flush() uint64 {
	lsn, err := r.journal.Flush()
	if err != nil {
		r.broken = err
		return 0
	}
	for len(r.staged) > 0 && r.staged[0].lsn <= lsn {
		if r.w.durability != journal.DurabilityNone {
			r.disk.sync(r.staged[0].lsn)
		}
		r.isDurable(&r.staged[0].Record)
		r.staged = r.staged[1:]
	}
	if lsn < r.base {
		return 0
	}
	r.durable = uint64(lsn - r.base)
	return r.durable
}

// Fetch implements node.Env.
func (r *replica) Fetch(f paxos.Fetch) {
	m := node.Truncated(f, r.node.Core().FirstSlot())
	if r.w.durability != journal.DurabilityNone {
		var err error
		if m, err = r.archive.Entries(f, r.archive.Oldest(r.covered)); err != nil {
			r.w.logf("%d cannot read slot %d for %d: %v", r.id, f.From, f.Peer, err)
		}
	}
	m.From, m.To, m.Commit = r.id, f.Peer, r.node.Core().Commit()
	r.Send(&m)
}

// observer counts what a replica tells its operator.
type observer struct{ r *replica }

// Enabled implements slog.Handler.
func (observer) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (o observer) Handle(_ context.Context, rec slog.Record) error {
	w := o.r.w
	w.logf("%d says: %s", o.r.id, rec.Message)
	if strings.HasPrefix(rec.Message, "journal: cut an unsynced tail") {
		w.counts.TornTails++
	}
	return nil
}

// WithAttrs implements slog.Handler.
func (o observer) WithAttrs([]slog.Attr) slog.Handler { return o }

// WithGroup implements slog.Handler.
func (o observer) WithGroup(string) slog.Handler { return o }
