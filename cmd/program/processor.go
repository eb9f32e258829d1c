package program

import (
	"os"
	"runtime"
)

// SpareProcessor gives the Go runtime one processor more than the host has, for a program with an event loop that keeps one while it waits
// for its sockets. Whoever has set GOMAXPROCS has their way.
func SpareProcessor() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
}
