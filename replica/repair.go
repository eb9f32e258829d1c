package replica

import (
	"errors"
	"time"

	"paxosbench/replica/journal"
	"paxosbench/replica/node"
	"paxosbench/replica/snapshot"
	"paxosbench/replica/storage"
)

// maxRepairs bounds the repairs of one start: one that puts the identity file right, and one that sets the data aside.
const maxRepairs = 2

// openOrRepair opens the replica. With --repair, data that cannot be used is set aside, and the replica begins anew as one
// that has lost its disk: everything comes from the others, and it does not vote until it knows what it may have voted for.
func openOrRepair(r *Replica, incarnation uint64) (*loop, error) {
	for repairs := 0; ; repairs++ {
		l, err := open(r, r.cfg, incarnation)
		if !r.cfg.Repair || !repairable(err) || repairs == maxRepairs {
			return l, err
		}
		r.log.Warn("repairing the data directory", "err", err)
		if err2 := journal.Repair(r.cfg.storage(r.log).Journal, time.Now()); err2 != nil {
			return nil, errors.Join(err, err2)
		}
	}
}

// recordDivergence has the data directory remember that the replica stops because its state is not that of the others: its
// files are whole, so nothing else would tell the next start that there is something to repair.
func (l *loop) recordDivergence() error {
	if diverged, ok := errors.AsType[*node.DivergedError](l.failure()); ok {
		return l.storage.Diverged(diverged.Slot)
	}
	return nil
}

// repairable reports whether the error of opening a replica means that its data is not what it was, or differs from that of
// the others.
func repairable(err error) bool {
	var inJournal *journal.CorruptError
	var diverged *journal.DivergedError
	var inSnapshot *snapshot.CorruptError
	return errors.As(err, &inJournal) || errors.As(err, &diverged) || errors.As(err, &inSnapshot) || errors.Is(err, storage.ErrSnapshotMissing)
}
