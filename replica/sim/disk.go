package sim

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"paxosbench/replica/journal"
	"paxosbench/replica/node"
	"paxosbench/replica/snapshot"
	"paxosbench/replica/storage"
	"paxosbench/wire"
)

var errDisk = errors.New("simulated disk error")

// staged is a record that is not known to be durable yet.
type staged struct {
	number uint64 // in this life
	wire.Record
}

// observed is the storage as the node sees it, with the checkers in between.
type observed struct {
	*storage.Storage
	r *replica
}

// Append implements node.Storage.
func (o observed) Append(rec *wire.Record) {
	r := o.r
	r.w.check.append(r, rec)
	r.appended++
	o.Storage.Append(rec)
	if r.durability != journal.DurabilityNone {
		r.disk.write(o.Base()+journal.LSN(r.appended), rec)
	}
	r.staged = append(r.staged, staged{r.appended, *rec})
}

// Persist implements node.Storage. A disk that is busy is not waited for.
func (o observed) Persist(alone bool) (uint64, error) {
	r := o.r
	return o.Storage.Persist(alone && r.stalled <= r.w.now && r.w.chance(0.5))
}

// ClearSnapshots implements node.Storage.
func (o observed) ClearSnapshots() {
	o.r.disk.snapshot = 0
	o.Storage.ClearSnapshots()
}

// poll tells the checkers which records the storage takes for durable by now.
func (r *replica) poll() {
	durable, err := r.storage.Durable()
	for err == nil && len(r.staged) > 0 && r.staged[0].number <= durable {
		if r.durability != journal.DurabilityNone {
			r.disk.sync(r.storage.Base() + journal.LSN(r.staged[0].number))
		}
		r.isDurable(&r.staged[0].Record)
		r.staged = r.staged[1:]
	}
}

// isDurable tells the checkers that a record is as durable as the replica's configuration makes it.
func (r *replica) isDurable(rec *wire.Record) {
	r.disk.add(rec)
	r.voted = r.voted || rec.Kind.IsVote()
	r.w.check.accepted(r, rec)
}

// watched is the node as the storage sees it, with the checkers in between.
type watched struct {
	*node.Node
	r *replica
}

// Restore implements storage.Replica.
func (o watched) Restore(rec *wire.Record) error {
	o.r.restored = append(o.r.restored, *rec)
	return o.Node.Restore(rec)
}

// SnapshotStored implements storage.Replica.
func (o watched) SnapshotStored(info snapshot.Info) bool {
	r := o.r
	r.w.counts.Snapshots++
	r.disk.snapshot = info.Slot
	installed := o.Node.SnapshotStored(info)
	if installed {
		r.w.counts.Installed++
	}
	return installed
}

// Releasable implements storage.Replica.
func (o watched) Releasable() wire.Slot {
	through := o.Node.Releasable()
	o.r.disk.released = max(o.r.disk.released, through)
	return through
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
