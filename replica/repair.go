package replica

import (
	"errors"
	"fmt"
	"os"
	"time"

	"paxosbench/replica/journal"
	"paxosbench/replica/snapshot"
	"paxosbench/replica/storage"
)

// openOrRepair opens the replica. With --repair, data that is damaged is set aside, and the replica begins anew as one that
// has lost its disk: everything comes from the others, and it does not vote until it knows what it may have voted for.
func openOrRepair(r *Replica, incarnation uint64) (*loop, error) {
	own := *r.cfg // which is shown to others
	cfg, log := &own, r.log
	l, err := open(r, cfg, incarnation)
	if !cfg.Repair || !damaged(err) {
		return l, err
	}
	aside := cfg.Data + time.Now().UTC().Format(".damaged-20060102T150405Z")
	if err2 := os.Rename(cfg.Data, aside); err2 != nil {
		return nil, errors.Join(err, fmt.Errorf("cannot set the damaged data aside: %w", err2))
	}
	log.Warn("damaged data is set aside, this replica learns everything anew", "err", err, "aside", aside)
	cfg.Bootstrap, cfg.Rejoin = false, true
	return open(r, cfg, incarnation)
}

// damaged reports whether the error of opening a replica means that synced data is not what it was.
func damaged(err error) bool {
	var inJournal *journal.CorruptError
	var inSnapshot *snapshot.CorruptError
	return errors.As(err, &inJournal) || errors.As(err, &inSnapshot) || errors.Is(err, storage.ErrSnapshotMissing)
}
