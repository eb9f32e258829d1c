package replica

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// alarm wakes the loop when a batch has lingered long enough. The loop wakes by itself whenever something arrives, and every
// two milliseconds; that is too coarse for a linger of microseconds. Its methods belong to the loop.
type alarm struct {
	timer timer                // nil: nothing lingers
	clock func() time.Duration // reads the loop's time
	armed bool
}

// timer calls back once after a time.
type timer interface{ set(after time.Duration) }

// watch sees to it that the loop wakes at the deadline of the batch that waits, if one does and is not due at now. What is
// due and still there waits for room, and room comes with a message. There is one call back at a time: deadlines only
// grow, so one that comes for a batch that has left is in time to look for the next.
func (a *alarm) watch(now, deadline time.Duration, waits bool) {
	if !waits || a.armed || a.timer == nil || deadline <= now {
		return
	}
	a.armed = true
	a.timer.set(deadline - a.clock())
}

// rang takes note of the call back. A round follows, and with it another watch.
func (a *alarm) rang() { a.armed = false }

// systemTimer is a timer of the kernel. Those of the runtime are kept to a millisecond while nothing else goes on.
type systemTimer struct {
	file *os.File
	fd   int // of file, which stays open as long as the loop runs
	spec unix.ItimerSpec
}

// newSystemTimer returns a timer that calls ring on a goroutine of its own.
func newSystemTimer(ring func()) (*systemTimer, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("timer for --linger: %w", err)
	}
	t := &systemTimer{file: os.NewFile(uintptr(fd), "timer"), fd: fd}
	go t.run(ring)
	return t, nil
}

// run ends when the timer is closed.
func (t *systemTimer) run(ring func()) {
	var expirations [8]byte
	for {
		if _, err := t.file.Read(expirations[:]); err != nil {
			return
		}
		ring()
	}
}

// set implements timer. A time that is over has it call back at once.
func (t *systemTimer) set(after time.Duration) {
	t.spec.Value = unix.NsecToTimespec(max(after, 1).Nanoseconds())
	if err := unix.TimerfdSettime(t.fd, 0, &t.spec, nil); err != nil {
		panic("BUG: timer: " + err.Error())
	}
}

// close ends the goroutine. The timer must not be set any more.
func (t *systemTimer) close() { _ = t.file.Close() } // nothing is written to it that could be lost
