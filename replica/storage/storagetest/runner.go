// Package storagetest runs the slow work of a storage when a test says so, on the test's goroutine.
package storagetest

import (
	"time"

	"paxosbench/replica/storage"
)

// Runner implements storage.Runner. Its zero value is ready to use.
type Runner struct {
	Time time.Duration // what Now returns

	work   []func()
	posted []func()
}

// Worker implements storage.Runner.
func (r *Runner) Worker(work func()) storage.Worker { return &worker{runner: r, work: work} }

// Go implements storage.Runner.
func (r *Runner) Go(work func()) { r.work = append(r.work, work) }

// Post implements storage.Runner.
func (r *Runner) Post(done func()) { r.posted = append(r.posted, done) }

// Now implements storage.Runner.
func (r *Runner) Now() time.Duration { return r.Time }

// Work does what is due, and reports whether there was anything. The replica has heard nothing of it yet.
func (r *Runner) Work() (worked bool) { return drain(&r.work) }

// Tell calls what has been posted, and reports whether there was anything.
func (r *Runner) Tell() (told bool) { return drain(&r.posted) }

// Run does what is due and tells of it, until nothing is left.
func (r *Runner) Run() {
	for r.Work() || r.Tell() {
	}
}

func drain(queue *[]func()) bool {
	due := *queue
	*queue = nil
	for _, do := range due {
		do()
	}
	return len(due) > 0
}

// worker implements storage.Worker.
type worker struct {
	runner  *Runner
	work    func()
	due     bool
	stopped bool
}

// Wake implements storage.Worker.
func (w *worker) Wake() {
	if w.stopped {
		panic("BUG: a worker is woken that has been stopped")
	}
	if w.due {
		return
	}
	w.due = true
	w.runner.Go(func() {
		w.due = false
		if !w.stopped {
			w.work()
		}
	})
}

// Stop implements storage.Worker.
func (w *worker) Stop() { w.stopped = true }
