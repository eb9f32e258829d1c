package e2e

import (
	"syscall"
	"testing"
	"time"
)

// A client that can reach one follower only is served by whoever leads, also after the leader has died.
func TestForward(t *testing.T) {
	beside(t)
	c := newCluster(t, 3, "--forward")
	var first, follower int
	c.until("a follower that hears the leader", func() bool {
		first = c.ready() // on a busy host not the one that led at first
		follower = first%3 + 1
		s, err := c.status(follower)
		return err == nil && s.Leader == first
	})
	load := c.loadThrough(c.members[follower-1:follower], 4*time.Second)
	c.until("commands of the first leader", func() bool { return c.commit() > 50 })
	s, err := c.status(follower)
	if err != nil || s.Transport.Forwarded == 0 {
		t.Fatalf("%d clients handed on, error %v", s.Transport.Forwarded, err)
	}
	c.signal(first, syscall.SIGKILL)
	c.otherLeader(first)
	before := c.commit()
	c.until("commands of another leader", func() bool { return c.commit() > before+50 })
	c.start(first)
	if code := load.exit(t, 30*time.Second); code != 0 {
		t.Fatalf("loadgen ended with %d:\n%s", code, load.text())
	}
	if r := c.result(); r.Ops.OK == 0 || r.Ops.Failed != 0 {
		t.Fatalf("result: %+v", r)
	}
	c.agree()
}
