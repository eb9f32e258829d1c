package sim

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"

	"paxosbench/replica/journal"
	"paxosbench/wire"
)

// What operators do with the flags of a replica: they leave those of another start in, change the durability from one start to
// the next, and try a start that would forget. None of that may cost anything that a disk holds. (What they do with damaged
// disks is in damage.go.)

// journalOptions returns what the operator gives the journal at the next start.
func (r *replica) journalOptions(mode startMode) journal.Options {
	w := r.w
	o := journal.Options{
		FS: r.fs, Dir: dataDir, Durability: r.durability, SegmentBytes: w.segmentBytes,
		Identity:  journal.Identity{Cluster: 1, Replica: r.id},
		Bootstrap: mode == bootstrap && !r.forgetful, Rejoin: r.forgetful, Salt: w.seed | 1, Logger: slog.New(observer{r}),
	}
	if mode == bootstrap || r.forgetful || !w.careless {
		return o
	}
	switch w.rng.IntN(4) { // there is data: none of these has any effect
	case 0:
		o.Bootstrap = true
	case 1:
		o.Rejoin = true
	case 2:
		o.AcceptLoss = true
	}
	if o.Bootstrap || o.Rejoin || o.AcceptLoss {
		w.counts.FlagsLeftIn++
	}
	return o
}

// chooseDurability draws the durability of the next life, where operators change it.
func (r *replica) chooseDurability() {
	r.durability = r.w.plan.durability
	if r.w.careless && r.durability != journal.DurabilityNone && r.w.chance(0.3) {
		r.durability = journal.DurabilityOS
		r.w.counts.DurabilityChanges++
	}
}

// tryToForget starts the replica in a way that would keep nothing of its votes, which must be refused and change nothing.
func (r *replica) tryToForget() {
	if !r.w.careless || r.durability == journal.DurabilityNone || !r.w.chance(0.2) {
		return
	}
	before := r.contents()
	o := r.journalOptions(again)
	o.Durability = journal.DurabilityNone
	_, err := journal.Open(o, func(journal.LSN, *wire.Record) error { return nil })
	if _, ok := errors.AsType[*journal.DurabilityError](err); !ok && !r.rotten {
		r.w.fail("replica %d starts over its journal with durability none: error %v", r.id, err)
	}
	if !bytes.Equal(before, r.contents()) {
		r.w.fail("replica %d has refused durability none, and changed its directory", r.id)
	}
	r.w.counts.RefusedForgetting++
}

// contents returns everything in the data directory but the lock and files that are being made.
func (r *replica) contents() (all []byte) {
	for _, name := range sortedFiles(r.fs) {
		if name == "lock" || strings.Contains(name, ".new") || strings.HasPrefix(name, "damaged-") {
			continue
		}
		all = append(append(all, name...), r.fs.Read(dataDir+"/"+name)...)
	}
	return all
}
