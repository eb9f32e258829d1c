package journal

import (
	"fmt"
	"time"

	"paxosbench/wire"
)

// This file is what a data directory remembers of the lives that have used it, apart from their records.

// Amnesiac reports that the replica may have promised or accepted what this journal does not know: the disk was lost or
// repaired, or votes were cast in a life with DurabilityNone. It must not vote before it has caught up past everything it
// may have promised, and then Rejoined has been called.
func (j *Journal) Amnesiac() bool { return j.amnesiac }

// Rejoined records durably that the replica has caught up, so that Amnesiac reports false from now on. With
// DurabilityNone that holds for this life only: what it has caught up with is in memory.
func (j *Journal) Rejoined() error {
	j.amnesiac = false
	if j.opts.Durability == DurabilityNone {
		return nil
	}
	return j.keeper.update(func(f *identityFile) { f.set(flagAmnesiac, false) })
}

// rememberVote records, before a vote is answered whose record is in memory only, that the next life will have forgotten
// it. It costs one write for each life that votes. The caller holds j.flushing.
func (j *Journal) rememberVote() error {
	return j.keeper.update(func(f *identityFile) { f.set(flagAmnesiac, true) })
}

// Cluster returns the cluster that the directory belongs to, 0 as long as that is not known.
func (j *Journal) Cluster() uint64 { return j.keeper.get().Cluster }

// SetCluster records durably which cluster the directory belongs to. It may be called again with the same number only.
func (j *Journal) SetCluster(cluster uint64) error {
	if known := j.Cluster(); known != 0 && known != cluster {
		return fmt.Errorf("journal: data directory %s belongs to cluster %d, not %d", j.opts.Dir, known, cluster)
	}
	return j.keeper.update(func(f *identityFile) { f.Cluster = cluster })
}

// Met returns which members of the cluster have been met in any life of this directory, and which of them have said that
// their directories have met this one. Of a directory that was made by a replica that rejoins, or repaired without a trace of
// what it was, all have: such a replica does not pretend to be new.
func (j *Journal) Met() (met, by wire.Members) {
	id := j.keeper.get()
	return id.met, id.metBy
}

// Meet records durably that more members have been met, or have said that they have met this one.
func (j *Journal) Meet(met, by wire.Members) error {
	return j.keeper.update(func(f *identityFile) { f.met, f.metBy = f.met|met, f.metBy|by })
}

// everybody is what a directory has met whose replica does not pretend to be new.
const everybody wire.Members = 1<<wire.MaxReplicas - 1

const _ uint = 8 - wire.MaxReplicas // one bit for each

// GrantedLease returns how long a lease may last that an earlier life has granted, 0 if none has. For that long after its
// start a replica promises nobody anything.
func (j *Journal) GrantedLease() time.Duration { return j.granted }

// LeasesExpired records durably that the leases of earlier lives have expired, so that the next life waits only for those
// of this one (see Options.Lease). The caller has waited for GrantedLease.
func (j *Journal) LeasesExpired() error {
	return j.keeper.update(func(f *identityFile) { f.lease = j.opts.Lease })
}

// Diverged records durably that the state after a slot differs from that of the other replicas. From then on Open
// returns a *DivergedError until the directory has been repaired.
func (j *Journal) Diverged(slot wire.Slot) error {
	return j.keeper.update(func(f *identityFile) { f.diverged = max(slot, 1) })
}
