//go:build linux

package cluster

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestWhoOutlivesStaysInTheSession wants a process that outlives this one spared by Ctrl-C, and not in a session of its own, of which
// each has a share of the processors.
func TestWhoOutlivesStaysInTheSession(t *testing.T) {
	p, err := startProcess(filepath.Join(t.TempDir(), "log"), "sleep", []string{"60"}, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
	})
	session, errSession := unix.Getsid(p.PID)
	group, errGroup := unix.Getpgid(p.PID)
	own, errOwn := unix.Getsid(0)
	if errSession != nil || errGroup != nil || errOwn != nil || session != own || group != p.PID {
		t.Errorf("session %d, this one's %d, group %d of process %d: %v, %v, %v", session, own, group, p.PID, errSession, errGroup, errOwn)
	}
}
