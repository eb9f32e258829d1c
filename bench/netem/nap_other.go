//go:build !linux

package netem

import "time"

// nap sleeps with the precision of Go's timers.
func nap(d time.Duration) { time.Sleep(d) }
