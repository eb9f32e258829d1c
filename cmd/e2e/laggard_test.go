package e2e

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

var laggardBytes = flag.Int64("laggard.bytes", 96<<20, "log that passes a stopped follower by in TestLaggard, at least")

// leaderBound is what a leader without a store may hold, as docs/architecture.md lists it for the flags' defaults: bytes
// waiting to be proposed, in flight, chosen and kept, queued to each of two peers and to each of four clients; twice,
// because that is how far the garbage collector lets the heap grow.
const leaderBound = 2 * (64 + 16 + 64 + 2*64 + 4*16) << 20

// A follower is stopped while more log passes by than anyone keeps: the leader's memory stays in its bounds and its clients
// are served, and the follower catches up once it goes on.
func TestLaggard(t *testing.T) {
	const value = 1 << 10
	c := newCluster(t, 3, "--machine", "noop", "--snapshot-bytes", "32MiB", "--segment-bytes", "16MiB")
	leader := c.ready()
	follower := leader%3 + 1
	c.until("a follower that hears the leader", func() bool {
		s, err := c.status(follower)
		return err == nil && s.Leader == leader
	})
	c.signal(follower, syscall.SIGSTOP)
	stopped := time.Now()
	before := c.executedBy(leader)
	peak := int64(0)
	for (c.executedBy(leader)-before)*value < uint64(*laggardBytes) {
		load := c.load(2*time.Second, "--closed", "--window", "256", "--value-size", fmt.Sprint(value))
		for running := true; running; {
			select {
			case <-load.done:
				running = false
			case <-time.After(50 * time.Millisecond):
				peak = max(peak, c.resident(leader))
			}
		}
		if code := load.exit(t, time.Second); code != 0 {
			t.Fatalf("loadgen ended with %d:\n%s", code, load.text())
		}
	}
	passed := (c.executedBy(leader) - before) * value
	c.signal(follower, syscall.SIGCONT)
	resumed := time.Now()
	c.agree()
	t.Logf("%d MiB of values passed in %v; the leader's memory was at most %d MiB; caught up in %v",
		passed>>20, resumed.Sub(stopped).Round(time.Millisecond), peak>>20, time.Since(resumed).Round(time.Millisecond))
	if peak > leaderBound {
		t.Errorf("the leader held %d MiB, want at most %d", peak>>20, leaderBound>>20)
	}
}

// executedBy returns how many commands a replica has executed.
func (c *cluster) executedBy(id int) uint64 {
	c.t.Helper()
	s, err := c.status(id)
	if err != nil {
		c.t.Fatal(err)
	}
	return s.State.Executed
}

// resident returns the bytes of memory that a replica's process holds.
func (c *cluster) resident(id int) int64 {
	c.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.replicas[id].Process.Pid))
	if err != nil {
		c.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			var kib int64
			if _, err := fmt.Sscan(rest, &kib); err != nil {
				c.t.Fatal(err)
			}
			return kib << 10
		}
	}
	c.t.Fatal("no VmRSS in /proc/PID/status")
	return 0
}
