package sim

import (
	"slices"
	"syscall"
	"time"

	"paxosbench/replica/journal"
	"paxosbench/replica/journal/memfs"
)

// rampage is the first part: all faults that the plan has.
func (w *world) rampage() {
	w.every(w.crashes, func() { w.victim().crash(false) })
	w.every(w.powerLosses, func() { w.victim().crash(true) })
	w.every(w.pauses, func() { w.victim().pause(w.between(2*w.heartbeat, 4*w.electionTimeout)) })
	w.every(w.partitions, w.partition)
	w.every(w.syncErrors, func() { w.victim().failSync() })
	w.every(w.lostDisks, func() { w.victim().loseDisk() })
	w.every(w.stalls, func() { w.victim().stall(w.between(w.electionTimeout/4, 6*w.electionTimeout)) })
	w.every(w.fullDisks, func() { w.victim().fillDisk() })
	w.every(w.rots, func() { w.victim().rot() })
	w.every(w.clogs, w.swizzle)
	w.every(w.slowLinks, w.slowLink)
	w.every(w.streams.resets, w.reset)
	w.every(w.jumps, func() { w.victim().jump(w.between(w.heartbeat, 20*w.electionTimeout)) })
	w.every(w.freezes, func() { w.victim().freeze(w.between(w.heartbeat, 6*w.electionTimeout)) })
	w.every(w.visitors, w.visit)
	w.every(w.rumours, func() { w.tellGone(w.victim(), 0.5, w.heartbeat) })
	for w.plots != 0 && w.now < w.faultTime {
		w.runFor(w.exponential(w.plots))
		w.plot()
	}
	w.runUntil(func() bool { return w.now >= w.faultTime })
}

// victim returns a replica, the leader more often than its share.
func (w *world) victim() *replica {
	if w.rng.IntN(2) == 0 {
		for _, r := range w.replicas {
			if r.leads() {
				return r
			}
		}
	}
	return w.replicas[w.rng.IntN(len(w.replicas))]
}

// crash ends the process; with power, the machine loses what the disk had not synced. A replica that keeps its journal
// for less than that comes back without its memory, as its operator has been told.
func (r *replica) crash(power bool) {
	if !r.up {
		return
	}
	if r.durability == journal.DurabilityNone || power && r.durability == journal.DurabilityOS {
		r.loseMemory(power)
		return
	}
	r.countCrash(power)
	if _, broken := r.storage.Durable(); !power && broken == nil && r.stalled <= r.w.now && r.w.chance(0.3) {
		r.stopOrderly()
	}
	r.end(power)
}

// stopOrderly is what a process does that is asked to end: it will know all that it knows now.
func (r *replica) stopOrderly() {
	r.node.Stop()
	_, err := r.storage.Persist(true)
	r.poll()
	if known := r.node.Core().Commit(); err == nil && max(r.disk.commit, r.disk.snapshot) < known {
		r.w.fail("replica %d stops with commit index %d, a restart will know %d", r.id, known, r.disk.commit)
	}
}

func (r *replica) countCrash(power bool) {
	if power {
		r.w.counts.PowerLosses++
	} else {
		r.w.counts.Crashes++
	}
	r.w.logf("%d crashes, power loss: %v", r.id, power)
}

// mayForget reports whether the replica may come to have no memory. Fewer at a time may than either quorum needs, so that
// every quorum that there has been keeps a member that remembers: otherwise what was acknowledged could be gone, and
// rightly so.
func (r *replica) mayForget() bool {
	forgotten := 1
	for _, o := range r.w.replicas {
		if o != r && (o.forgetful || o.rotten) {
			forgotten++
		}
	}
	return forgotten < min(r.w.quorum1, r.w.quorum2)
}

// loseMemory is a crash of a replica whose journal does not survive it.
func (r *replica) loseMemory(power bool) {
	if !r.mayForget() {
		return
	}
	r.countCrash(power)
	r.end(power)
	r.replaceDisk(r.durability != journal.DurabilityNone)
}

// loseDisk ends the process and replaces the disk by an empty one.
func (r *replica) loseDisk() {
	if !r.up || !r.mayForget() {
		return
	}
	r.w.counts.LostDisks++
	r.w.logf("%d loses its disk", r.id)
	r.end(true)
	r.replaceDisk(true)
}

// replaceDisk has the next life begin without memory; with an empty disk, or with one whose journal says so. Who has not
// voted has forgotten nothing.
func (r *replica) replaceDisk(empty bool) {
	if empty {
		r.fs, r.voted = memfs.New(), true
	}
	r.disk, r.forgetful, r.rotten = newDisk(), r.voted, false
}

// pause has the process not scheduled for a while.
func (r *replica) pause(d time.Duration) {
	if !r.up || r.paused {
		return
	}
	r.w.counts.Pauses++
	r.w.logf("%d pauses for %v", r.id, d)
	r.paused = true
	r.whileAlive(d, func() {
		if r.paused {
			r.resume()
		}
	})
}

func (r *replica) resume() {
	r.paused = false
	life := r.life
	for _, work := range take(&r.threads) {
		r.onThread(work)
	}
	for _, do := range take(&r.inbox) {
		if r.life == life {
			r.act(do, true)
		}
	}
}

// stall has the disk do nothing for a while, as disks do that retry. The network is as good as before.
func (r *replica) stall(d time.Duration) {
	r.w.counts.Stalls++
	r.w.logf("the disk of %d stalls for %v", r.id, d)
	r.stalled = max(r.stalled, r.w.now+d)
}

// failSync makes the next sync fail.
func (r *replica) failSync() {
	r.failDisk(errDisk, &r.w.counts.SyncErrors, memfs.OpSync)
}

// fillDisk makes every write fail from now on, the first perhaps in its middle. Whoever starts the replica again has
// made room.
func (r *replica) fillDisk() {
	err := error(syscall.ENOSPC)
	if r.w.chance(0.5) {
		err = memfs.ErrShortWrite
	}
	r.failDisk(err, &r.w.counts.FullDisks, memfs.OpWrite, memfs.OpAllocate)
}

func (r *replica) failDisk(err error, struck *uint64, ops ...memfs.Op) {
	if !r.up || r.durability == journal.DurabilityNone {
		return
	}
	first := true
	r.fs.SetHook(func(c memfs.Call) error {
		if !slices.Contains(ops, c.Op) {
			return nil
		}
		if first {
			first = false
			*struck++
		}
		return err
	})
}

// jump moves the replica's clock forward.
func (r *replica) jump(d time.Duration) {
	if !r.up || r.frozen {
		return
	}
	r.w.counts.Jumps++
	r.w.logf("the clock of %d jumps by %v", r.id, d)
	r.skew += d
}

// freeze stops the replica's clock for a while, and it stays behind from then on.
func (r *replica) freeze(d time.Duration) {
	if !r.up || r.frozen {
		return
	}
	r.w.counts.Freezes++
	r.w.logf("the clock of %d freezes for %v", r.id, d)
	r.frozenAt, r.frozen = r.clock(), true
	r.whileAlive(d, r.thaw)
}

func (r *replica) thaw() {
	if r.frozen {
		r.frozen = false
		r.skew -= r.clock() - r.frozenAt
	}
}

// whileAlive has something happen later, unless the replica's life has ended by then.
func (r *replica) whileAlive(d time.Duration, do func()) {
	life := r.life
	r.w.after(d, func() {
		if r.life == life {
			do()
		}
	})
}

// heal brings the replica back to work.
func (r *replica) heal() {
	r.fs.SetHook(nil)
	r.stalled = 0
	if !r.up {
		r.start(again)
		return
	}
	r.thaw()
	if r.paused {
		r.resume()
	}
}
