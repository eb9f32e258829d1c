package cluster

import "syscall"

// attributes put a child into a process group of its own, so that Ctrl-C in the terminal spares it and it is ended in
// order, and let it die with its parent, so that a runner that is killed leaves nothing running. The kernel ties the
// latter to the parent's thread; Go ends a thread only if a goroutine locked to it ends, and none here is.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
