//go:build linux

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// stderr returns standard error to write the log to. If that is a pipe, descriptor 2 is opened anew first, without
// blocking: what the runtime prints in a crash would otherwise wait for a reader that hangs, and the process with it, neither
// serving nor ended. The flag is of the open pipe and not of the descriptor, so that the old one, which other programs
// may share, cannot be given it.
func stderr() *os.File {
	var stat unix.Stat_t
	if err := unix.Fstat(unix.Stderr, &stat); err != nil || stat.Mode&unix.S_IFMT != unix.S_IFIFO {
		return os.Stderr
	}
	fd, err := unix.Open("/proc/self/fd/2", unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return os.Stderr // its reader has gone, or it is another user's
	}
	defer unix.Close(fd)
	if unix.Dup3(fd, unix.Stderr, 0) != nil {
		return os.Stderr
	}
	return os.NewFile(uintptr(unix.Stderr), "/dev/stderr") // which waits for room by the poller of the runtime
}
