package e2e

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"paxosbench/bench/netem"
	"paxosbench/wire"
)

var slowBytes = flag.Int64("slow.bytes", 2<<20, "how far the follower of TestCatchUpOverASlowLink is behind, in bytes of values")

// linked starts three replicas that reach each other over links. config says how each pair is linked.
func linked(t *testing.T, config func(a, b wire.ReplicaID) netem.Config, flags ...string) *cluster {
	t.Helper()
	c := newCluster(t, 0, flags...)
	c.addMembers(3)
	peers := make(map[wire.ReplicaID]string)
	for _, m := range c.members {
		peers[wire.ReplicaID(m.id)] = fmt.Sprintf("127.0.0.1:%d", m.peer)
	}
	network, err := netem.NewNetworkOf(peers, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := network.Close(); err != nil {
			t.Error(err)
		}
	})
	c.network = network
	for _, m := range c.members {
		c.start(m.id, "--bootstrap")
	}
	return c
}

// A round trip of nearly two heartbeats: reads that wait for a round of heartbeats, or for a lease, are answered, and so are
// they after all connections have been lost at once.
func TestReadsOverLongLinks(t *testing.T) {
	for _, reads := range []string{"index", "lease"} {
		t.Run(reads, func(t *testing.T) {
			beside(t)
			c := linked(t, func(_, _ wire.ReplicaID) netem.Config { return netem.Config{Delay: 45 * time.Millisecond} }, "--reads", reads)
			leader := c.leader()
			load := c.load(4*time.Second, "--mix", "put:0.5,get:0.5", "--keys", "1000", "--preload", "yes", "--window", "64", "--closed")
			c.untilQueried(leader, 200)
			if code := load.exit(t, 60*time.Second); code != 0 && code != exitInvalid {
				t.Fatalf("loadgen ended with %d:\n%s", code, load.text())
			}
			if s := c.mustStatus(leader); s.Role != "leader" {
				t.Errorf("replica %d led, and is %s now", leader, s.Role)
			}
			c.agree()
		})
	}
}

// A follower that is behind by more than its link carries in many election timeouts catches up at no less than half of what
// the link carries, and nobody else notices.
func TestCatchUpOverASlowLink(t *testing.T) {
	const rate, value, slow = 250e3, 1 << 10, 3
	c := linked(t, func(a, b wire.ReplicaID) netem.Config {
		if a == slow || b == slow {
			return netem.Config{Delay: 5 * time.Millisecond, Rate: rate}
		}
		return netem.Config{}
	}, "--machine", "noop")
	leader := c.ready()
	for leader == slow {
		leader = c.deposeWhileIdle(leader)
	}
	c.until("the follower follows", func() bool { s, err := c.status(slow); return err == nil && s.Leader == leader })
	c.signal(slow, syscall.SIGKILL)
	before := c.executedBy(leader)
	for (c.executedBy(leader)-before)*value < uint64(*slowBytes) {
		c.mustLoad(500*time.Millisecond, "--rate", "2k", "--value-size", fmt.Sprint(value))
	}
	behind := float64((c.executedBy(leader) - before) * value)
	ballot := c.mustStatus(leader).Ballot
	c.start(slow)
	c.until("the follower has recovered", func() bool { _, err := c.status(slow); return err == nil })
	resumed := time.Now()
	limit := time.Duration(2 * behind / rate * float64(time.Second))
	for c.behind(slow, leader) {
		if time.Since(resumed) > limit+2*time.Second {
			t.Fatalf("%.1f MB behind, the follower has not caught up in %v: slot %d of %d\n%s", behind/1e6, time.Since(resumed).Round(time.Millisecond),
				c.mustStatus(slow).Applied, c.mustStatus(leader).Applied, c.replicas[slow].text())
		}
		time.Sleep(50 * time.Millisecond)
	}
	took := time.Since(resumed)
	t.Logf("%.1f MB in %v: %.0f KB/s of %.0f", behind/1e6, took.Round(time.Millisecond), behind/took.Seconds()/1e3, rate/1e3)
	if s := c.mustStatus(leader); s.Role != "leader" || s.Ballot != ballot {
		t.Errorf("replica %d led with ballot %s; now it is %s, with %s", leader, ballot, s.Role, s.Ballot)
	}
	c.agree()
}

// behind reports whether a replica has applied less than another one.
func (c *cluster) behind(id, other int) bool {
	c.t.Helper()
	return c.mustStatus(id).Applied < c.mustStatus(other).Applied
}

// A leader dies when up to 16 MiB that it had proposed are on a quorum of disks and nobody knows that they are chosen. Whoever
// follows it gets them in one candidacy, although the link carries only 10 MB in an election timeout. Both others may stand at the
// same time.
func TestElectionWithALongSuffix(t *testing.T) {
	const suffix = 16 << 20
	c := linked(t, func(a, b wire.ReplicaID) netem.Config {
		if a != 1 && b != 1 {
			return netem.Config{Rate: 5e6}
		}
		return netem.Config{}
	}, "--election-timeout", "2s")
	for leader := c.ready(); leader != 1; {
		leader = c.deposeWhileIdle(leader)
	}
	load := c.load(20*time.Second, "--closed", "--window", "128", "--value-size", "65536", "--keys", "100", "--stall", "30s")
	c.until("values at full speed", func() bool { return c.mustStatus(2).Journal.Bytes > 8*suffix })
	candidacies := func(id int) uint64 { return c.mustStatus(id).Paxos.Elections }
	began, before := c.mustStatus(2).Journal.Bytes, []uint64{2: candidacies(2), 3: candidacies(3)}
	if err := c.network.Set(1, netem.Deaf); err != nil {
		t.Fatal(err)
	}
	c.until("a long suffix on a follower's disk", func() bool { return c.mustStatus(2).Journal.Bytes-began >= suffix*3/4 })
	commit := c.mustStatus(2).Commit
	c.signal(1, syscall.SIGKILL)
	next := c.otherLeader(1)
	c.until("the suffix is chosen", func() bool { return c.mustStatus(next).Commit > commit+10 })
	for id := 2; id <= 3; id++ {
		if got := candidacies(id) - before[id]; got > 1 {
			t.Errorf("%d candidacies of replica %d", got, id)
		}
	}
	if err := load.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) { // it gives up where this takes 10 s
		t.Fatal(err)
	}
	if err := c.network.Set(1, netem.None); err != nil {
		t.Fatal(err)
	}
	c.start(1)
	c.agree()
}
