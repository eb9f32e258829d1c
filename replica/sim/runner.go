package sim

import (
	"time"

	"paxosbench/replica/storage"
)

// runner runs the slow work of the storage in one life of a replica: it is done a while after it was wanted, and the
// replica hears of it a while later still. The life may end in between.
type runner struct {
	r     *replica
	heard time.Duration // when the newest post is heard of
}

// Worker implements storage.Runner.
func (x *runner) Worker(work func()) storage.Worker { return &worker{r: x.r, work: work} }

// Go implements storage.Runner.
func (x *runner) Go(work func()) { x.r.beside(work) }

// Post implements storage.Runner.
func (x *runner) Post(done func()) {
	w := x.r.w
	x.heard = max(x.heard, w.now+w.diskTime(w.sync/4))
	x.r.whileAlive(x.heard-w.now, func() { x.r.act(done, true) })
}

// Now implements storage.Runner.
func (x *runner) Now() time.Duration { return x.r.clock() }

// worker is a storage.Worker.
type worker struct {
	r       *replica
	work    func()
	due     bool
	stopped bool
}

// Wake implements storage.Worker.
func (k *worker) Wake() {
	if k.stopped {
		k.r.w.fail("replica %d: a worker is woken that has been stopped", k.r.id)
	}
	if k.due {
		return
	}
	k.due = true
	k.r.beside(func() {
		k.due = false
		if !k.stopped {
			k.work()
		}
	})
}

// Stop implements storage.Worker.
func (k *worker) Stop() { k.stopped = true }

// beside has a thread of the replica do something that takes as long as a sync.
func (r *replica) beside(work func()) {
	r.whileAlive(r.w.diskTime(r.w.sync), func() { r.onThread(work) })
}

// diskTime draws what takes so long on average. In a cluster that is healed no disk hangs for so long by itself that its replica
// rightly gives way: one sync in 20,000 would.
func (w *world) diskTime(mean time.Duration) time.Duration {
	d := w.exponential(mean)
	if w.calm {
		d = min(d, w.electionTimeout/4)
	}
	return d
}

// onThread does what a thread has come to, once the process is scheduled and the disk does something.
func (r *replica) onThread(work func()) {
	switch {
	case r.paused:
		r.threads = append(r.threads, work)
	case r.stalled > r.w.now: // the stall may end before its time
		r.whileAlive(min(r.stalled-r.w.now, r.w.heartbeat), func() { r.onThread(work) })
	default:
		work()
	}
}
