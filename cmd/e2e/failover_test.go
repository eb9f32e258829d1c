package e2e

import (
	"syscall"
	"testing"
	"time"
)

// The leader dies under load: the run goes on against its successor, loadgen finds no reply lost, doubled or out of
// order, and after the restart all replicas hold the same.
func TestLeaderKilledUnderLoad(t *testing.T) {
	beside(t)
	for _, durability := range []string{"fsync", "os", "none"} {
		t.Run(durability, func(t *testing.T) {
			beside(t)
			c := newCluster(t, 3, "--durability", durability)
			first := c.ready()
			load := c.load(4 * time.Second)
			c.until("commands under the first leader", func() bool { return c.commit() > 50 })
			c.signal(first, syscall.SIGKILL)
			second := c.leader()
			if second == first {
				t.Fatalf("replica %d leads although it is dead", first)
			}
			before := c.commit()
			c.until("commands under the second leader", func() bool { return c.commit() > before+50 })
			c.start(first)
			if code := load.exit(t, 30*time.Second); code != 0 {
				t.Fatalf("loadgen ended with %d:\n%s", code, load.text())
			}
			if r := c.result(); r.Ops.OK == 0 || r.Ops.Failed != 0 {
				t.Fatalf("result: %+v", r)
			}
			c.agree()
		})
	}
}

// A leader that falls silent, as one does whose host is cut off, is left when the generator has waited for as long as it is told to, and
// not before: its own part of an outage is in its flags, and in the result.
func TestSilentLeaderUnderLoad(t *testing.T) {
	beside(t)
	for stall, left := range map[string]bool{"200ms": true, "1h0m0s": false} {
		t.Run(stall, func(t *testing.T) {
			beside(t)
			c := newCluster(t, 3, "--durability", "none")
			first := c.ready()
			load := c.load(5*time.Second, "--rate", "1k", "--timeout", "500ms", "--stall", stall, "--verify", "none")
			c.until("commands under the first leader", func() bool { return c.commit() > 50 })
			c.signal(first, syscall.SIGSTOP)
			before := c.mustStatus(c.otherLeader(first)).Commit
			load.exit(t, 60*time.Second)
			r := c.result()
			if r.Client.Stalls > 0 != left || r.Config.StallTimeout != stall {
				t.Errorf("%d connections were given up as silent, after %s, want some: %v", r.Client.Stalls, r.Config.StallTimeout, left)
			}
			if after := c.commit(); after > before+50 != left {
				t.Errorf("commit index %d in the end, %d when the second leader came", after, before)
			}
		})
	}
}

// All replicas die at once: what was acknowledged is still there, and the cluster goes on.
func TestAllKilledAndRestarted(t *testing.T) {
	beside(t)
	c := newCluster(t, 3)
	c.ready()
	if code := c.load(time.Second).exit(t, 30*time.Second); code != 0 {
		t.Fatalf("loadgen ended with %d", code)
	}
	acknowledged := c.commit()
	for id := 1; id <= 3; id++ {
		c.signal(id, syscall.SIGKILL)
	}
	for id := 1; id <= 3; id++ {
		c.start(id)
	}
	c.leader()
	c.agree()
	if after := c.commit(); after < acknowledged {
		t.Fatalf("commit frontier %d after the restart, %d before", after, acknowledged)
	}
	if code := c.load(time.Second).exit(t, 30*time.Second); code != 0 {
		t.Fatalf("loadgen ended with %d after the restart", code)
	}
	c.agree()
}

// An orderly end: exit code 0, and a start without recovery work.
func TestTerminate(t *testing.T) {
	c := newCluster(t, 1)
	c.ready()
	c.signal(1, syscall.SIGTERM)
	if code := c.replicas[1].exit(t, 10*time.Second); code != 0 {
		t.Fatalf("exit code %d after SIGTERM:\n%s", code, c.replicas[1].text())
	}
	c.start(1)
	c.leader()
}
