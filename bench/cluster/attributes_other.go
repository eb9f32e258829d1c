//go:build !linux

package cluster

import "syscall"

// attributes put a child into a process group of its own, so that Ctrl-C in the terminal spares it.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
