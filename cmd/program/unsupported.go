//go:build !linux

package program

import (
	"fmt"
	"os"
	"runtime"
)

// Unsupported ends a program that was built for another system than Linux, and says why.
func Unsupported(name string) {
	fmt.Fprintf(os.Stderr, "%s runs on Linux only, and this is %s: it is built on epoll, fdatasync, O_DIRECT and fallocate. "+
		"Use a Linux host, a virtual machine or a container.\n", name, runtime.GOOS)
	os.Exit(ExitUsage)
}
