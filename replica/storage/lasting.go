package storage

import (
	"time"

	"paxosbench/wire"
)

// This file is what the data directory remembers from life to life, apart from records and snapshots.

// GrantedLease returns how long a lease may last that an earlier life has granted, 0 if none has. For that long after
// Open the replica must promise no other ballot.
func (s *Storage) GrantedLease() time.Duration {
	if s.journal == nil {
		return 0
	}
	return s.journal.GrantedLease()
}

// recordLeases has the journal remember, once the leases of earlier lives have expired, that there are only those of this
// one left.
func (s *Storage) recordLeases() {
	if s.leasesExpired || s.runner.Now()-s.opened <= s.journal.GrantedLease() {
		return
	}
	s.leasesExpired = true
	if err := s.journal.LeasesExpired(); err != nil {
		s.replica.Fail(s.fail(err))
	}
}

// Diverged has the journal remember that the state after a slot differs from that of the other replicas: the next start
// refuses it, or repairs it.
func (s *Storage) Diverged(slot wire.Slot) error {
	if s.journal == nil {
		return nil
	}
	return s.journal.Diverged(slot)
}

// Cluster returns the id of the cluster that the directory belongs to, 0 as long as it is not known.
func (s *Storage) Cluster() uint64 {
	if s.journal == nil {
		return 0
	}
	return s.journal.Cluster()
}

// SetCluster has the directory remember the id of its cluster, once.
func (s *Storage) SetCluster(cluster uint64) error { return s.journal.SetCluster(cluster) }

// Met returns which members have been met by this directory, and which have said that theirs have met this one.
func (s *Storage) Met() (met, by wire.Members) {
	if s.journal == nil {
		return 0, 0
	}
	return s.journal.Met()
}

// Meet has the directory remember more of both.
func (s *Storage) Meet(met, by wire.Members) error { return s.journal.Meet(met, by) }
