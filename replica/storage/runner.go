package storage

import "time"

// Runner runs what the replica's goroutine must not wait for: on threads in production, as events with a time of their
// own in the simulator, and when it is told to in unit tests. All that differs between the three is here.
type Runner interface {
	// Worker returns a worker that does the given work.
	Worker(work func()) Worker

	// Go does work once, beside everything else.
	Go(work func())

	// Post has done called on the replica's goroutine, in the order of the posts and before the replica's next round.
	// Any goroutine may call it.
	Post(done func())

	// Now returns the time as the replica counts it.
	Now() time.Duration
}

// Worker does one kind of work, one piece at a time.
type Worker interface {
	// Wake has the work done soon, once for all wakes since it was last begun, and returns at once. Any goroutine may
	// call it.
	Wake()

	// Stop waits until the work is not being done, and no longer does any. Wake must not be called any more.
	Stop()
}
