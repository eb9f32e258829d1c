package replica

import (
	"time"

	"paxosbench/replica/storage"
)

// threads runs the slow work of the storage on goroutines, and posts what comes of it to the event loop.
type threads struct {
	post    func(func())
	now     func() time.Duration
	readers chan struct{} // places of those that read files for peers
}

func newThreads(post func(func()), now func() time.Duration) threads {
	return threads{post, now, make(chan struct{}, maxReaders)}
}

// Worker implements storage.Runner: one goroutine that does the work.
func (t threads) Worker(work func()) storage.Worker {
	w := &worker{wake: make(chan struct{}, 1), done: make(chan struct{})}
	go w.run(work)
	return w
}

// Go implements storage.Runner. What comes on top of maxReaders waits: each may hold a file open.
func (t threads) Go(work func()) {
	go func() {
		t.readers <- struct{}{}
		defer func() { <-t.readers }()
		work()
	}()
}

// Post implements storage.Runner.
func (t threads) Post(done func()) { t.post(done) }

// Now implements storage.Runner.
func (t threads) Now() time.Duration { return t.now() }

// worker is a goroutine that works whenever it is woken.
type worker struct {
	wake chan struct{} // holds at most the one token that says that there is something to do
	done chan struct{} // closed when the goroutine has ended
}

func (w *worker) run(work func()) {
	defer close(w.done)
	for range w.wake {
		work()
	}
}

// Wake implements storage.Worker.
func (w *worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Stop implements storage.Worker. What the worker has been woken for is done before.
func (w *worker) Stop() {
	close(w.wake)
	<-w.done
}
