package e2e

import (
	"flag"
	"strings"
	"syscall"
	"testing"
	"time"
)

var readsPause = flag.Duration("reads.pause", 0, "for how long TestReadsWithoutTheLog pauses a leader at least; in any case until another leads")

// Gets that do not go through the log, while leaders come and go: the first is paused until another leads, and continued,
// so that it learns late that it was deposed; the second is killed. Every reply is verified, and what sampled keys showed
// is linearizable.
func TestReadsWithoutTheLog(t *testing.T) {
	beside(t)
	for _, reads := range []string{"index", "lease"} {
		t.Run(reads, func(t *testing.T) {
			beside(t)
			c := newCluster(t, 3, "--reads", reads, "--durability", "os")
			first := c.ready()
			load := c.load(6*time.Second+*readsPause, "--mix", "put:0.3,get:0.5,delete:0.1,cas:0.1", "--keys", "2000", "--preload", "yes",
				"--window", "16", "--stall", "1s", "--verify", "history")
			c.untilQueried(first, 1000)

			c.signal(first, syscall.SIGSTOP)
			wake := time.After(*readsPause)
			second := c.otherLeader(first)
			c.untilQueried(second, 1000)
			<-wake
			c.signal(first, syscall.SIGCONT)
			c.until("the first leader knows", func() bool {
				s, err := c.status(first)
				return err == nil && s.Role == "follower" && s.Leader == second
			})
			c.signal(second, syscall.SIGKILL)
			third := c.otherLeader(second)
			c.untilQueried(third, 1000)
			c.start(second)

			if code := load.exit(t, 30*time.Second+*readsPause); code != 0 {
				t.Fatalf("loadgen ended with %d:\n%s", code, load.text())
			}
			if r := c.result(); r.Ops.OK == 0 || r.Ops.Failed != 0 || r.Verification.Violations != 0 || r.Verification.Reads == 0 || r.Verification.HistoryOps == 0 {
				t.Fatalf("result: %+v", r)
			}
			c.agree()
			if s, err := c.status(third); err != nil || s.State.Reads != 0 {
				t.Errorf("%d gets went through the log, error %v", s.State.Reads, err)
			}
		})
	}
}

// untilQueried waits until a replica has answered n queries.
func (c *cluster) untilQueried(id int, n uint64) {
	c.t.Helper()
	before := uint64(0)
	if s, err := c.status(id); err == nil {
		before = s.Node.QueriesAnswered
	}
	c.until("queries answered", func() bool {
		s, err := c.status(id)
		return err == nil && s.Node.QueriesAnswered >= before+n
	})
}

// otherLeader waits until another replica than id leads, and returns it. Replica id may not answer.
func (c *cluster) otherLeader(id int) (leader int) {
	c.t.Helper()
	c.until("another leader", func() bool {
		for _, m := range c.members {
			if m.id == id {
				continue
			}
			if s, err := c.status(m.id); err == nil && s.Role == "leader" {
				leader = m.id
			}
		}
		return leader != 0
	})
	return leader
}

// Replicas that serve gets in different ways, or whose leases last differently, do not talk to each other; the whole
// cluster may change its way from one start to the next.
func TestReadsMayChangeWithAllReplicas(t *testing.T) {
	beside(t)
	c := newCluster(t, 3)
	c.ready()
	if code := c.load(500*time.Millisecond).exit(t, 30*time.Second); code != 0 {
		t.Fatalf("loadgen ended with %d", code)
	}
	for id := 1; id <= 3; id++ {
		c.signal(id, syscall.SIGKILL)
	}
	c.flags = []string{"--reads", "lease"}
	c.start(1)
	c.flags = []string{"--reads", "lease", "--election-timeout", "400ms"}
	c.start(2)
	c.until("the refusal", func() bool { return c.differs(1) || c.differs(2) })
	c.signal(2, syscall.SIGKILL)
	c.flags = []string{"--reads", "lease"}
	c.start(2)
	c.leader()
	if code := c.load(500*time.Millisecond, "--mix", "put:0.5,get:0.5").exit(t, 30*time.Second); code != 0 {
		t.Fatalf("loadgen ended with %d", code)
	}
}

// differs reports whether a replica says that another one's configuration differs.
func (c *cluster) differs(id int) bool {
	return strings.Contains(c.replicas[id].text(), "election-timeout: replica ")
}

// The followers leave leases behind, one after the other, while a leader goes on that has one: what they elect may not write before
// the lease that they have granted in their earlier life has ended. A get that is sent after an answer to a put sees it.
func TestLeaseOutlivesAChangeOfReads(t *testing.T) {
	beside(t)
	c := newCluster(t, 3, "--reads", "lease", "--election-timeout", "3s")
	old := c.ready()
	before := c.owned(old, "old")
	c.until("an answer by lease", func() bool {
		value, err := before.query("key")
		return err == nil && value == "old"
	})
	c.flags = []string{"--reads", "log"}
	for id := 1; id <= 3; id++ {
		if id != old {
			c.signal(id, syscall.SIGKILL)
			c.start(id)
		}
	}
	stale := make(chan time.Time, 1) // when the last get was sent that was answered with the old value
	go func() {
		var last time.Time
		for {
			sent := time.Now()
			if value, err := before.query("key"); err != nil || value != "old" {
				stale <- last
				return
			}
			last = sent
		}
	}()
	c.owned(c.otherLeader(old), "new")
	written := time.Now()
	time.AfterFunc(4*time.Second, func() { _ = before.conn.Close() }) // longer than any lease
	last := <-stale
	if last.IsZero() {
		t.Fatal("the old leader has answered nothing by its lease: this test has shown nothing")
	}
	if last.After(written) {
		t.Errorf("a get sent %v after a put was answered does not see it", last.Sub(written))
	}
}

// owned writes the key by a session of its own at the replica that leads.
func (c *cluster) owned(leader int, value string) (s *speaker) {
	c.t.Helper()
	c.until("a put of "+value, func() (ok bool) {
		var err error
		if s, err = c.speak(leader); err == nil {
			err = s.register()
		}
		if err == nil {
			err = s.put("key", value)
		}
		return err == nil
	})
	return s
}
