package netem

import (
	"time"

	"golang.org/x/sys/unix"
)

// nap sleeps with the precision of the kernel, about 60 microseconds. A signal may cut it short, of which the bytes
// that arrive a little early do not complain.
func nap(d time.Duration) {
	t := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&t, nil) // EINTR
}
