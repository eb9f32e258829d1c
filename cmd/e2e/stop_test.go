package e2e

import (
	"syscall"
	"testing"
	"time"
)

// A leader is paused while nothing happens, so that another one leads and learns by a heartbeat alone what its predecessor had
// chosen; then more slots pass than an acceptor takes ahead of its commit index, without a snapshot; then all replicas stop.
// What recovery rebuilds is above all bounds of live operation, and every replica must come back with what it had applied.
func TestEverythingIsServedAfterAStopOfAll(t *testing.T) {
	beside(t)
	for name, s := range map[string]struct {
		signal  syscall.Signal
		changes int // of leadership, while idle
	}{
		"in order":                   {syscall.SIGTERM, 1},
		"killed":                     {syscall.SIGKILL, 1},
		"killed after three changes": {syscall.SIGKILL, 3},
	} {
		t.Run(name, func(t *testing.T) {
			beside(t)
			c := newCluster(t, 3, "--batch", "none", "--durability", "os")
			leader := c.ready()
			c.mustLoad(300 * time.Millisecond)
			for range s.changes {
				leader = c.deposeWhileIdle(leader)
			}
			for c.commit() < 18_000 {
				c.mustLoad(time.Second, "--rate", "9k")
			}
			c.agree()
			time.Sleep(2 * defaultHeartbeat) // an idle replica writes its commit index down within a heartbeat
			applied := map[int]uint64{}
			for _, m := range c.members {
				applied[m.id] = c.mustStatus(m.id).Applied
				c.signal(m.id, s.signal)
				<-c.replicas[m.id].done
			}
			for _, m := range c.members { // alone, so that nobody tells it
				c.start(m.id)
				c.until("the replica's own recovery", func() bool {
					s, err := c.status(m.id)
					return err == nil && s.Role != "recovering"
				})
				if s := c.mustStatus(m.id); s.Applied < applied[m.id] {
					t.Errorf("replica %d comes back with slot %d applied, it had %d", m.id, s.Applied, applied[m.id])
				}
				c.signal(m.id, syscall.SIGKILL)
			}
			for _, m := range c.members {
				c.start(m.id)
			}
			c.leader()
			c.mustLoad(300 * time.Millisecond)
			c.agree()
			if after := c.commit(); after <= applied[leader] {
				t.Errorf("commit index %d after the stop, %d before", after, applied[leader])
			}
		})
	}
}

// defaultHeartbeat is what --heartbeat is unless it is given.
const defaultHeartbeat = 50 * time.Millisecond

// deposeWhileIdle pauses the leader until another one leads, and returns that one once the first follows it.
func (c *cluster) deposeWhileIdle(leader int) (next int) {
	c.t.Helper()
	c.signal(leader, syscall.SIGSTOP)
	next = c.otherLeader(leader)
	c.signal(leader, syscall.SIGCONT)
	c.until("the deposed leader follows", func() bool {
		s, err := c.status(leader)
		return err == nil && s.Role == "follower" && s.Leader == next
	})
	return next
}

// mustLoad runs loadgen to its end; the replicas must have served it.
func (c *cluster) mustLoad(duration time.Duration, extra ...string) {
	c.t.Helper()
	load := c.load(duration, extra...)
	if code := load.exit(c.t, 60*time.Second); code != 0 && code != exitInvalid {
		c.t.Fatalf("loadgen ended with %d:\n%s", code, load.text())
	}
}

func (c *cluster) mustStatus(id int) status {
	c.t.Helper()
	s, err := c.status(id)
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}
