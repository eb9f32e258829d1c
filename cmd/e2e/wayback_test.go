package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// loaded returns a cluster that has executed something, and how much.
func loaded(t *testing.T, n int) (*cluster, uint64) {
	t.Helper()
	c := newCluster(t, n)
	c.ready()
	c.endsWell(c.load(time.Second))
	c.agree()
	return c, c.executed()
}

// executed returns how many commands the replicas have executed, which agree on it.
func (c *cluster) executed() uint64 {
	c.t.Helper()
	s, err := c.status(1)
	if err != nil {
		c.t.Fatal(err)
	}
	return s.State.Executed
}

// restart kills all replicas and starts them with more flags.
func (c *cluster) restart(extra ...string) {
	c.t.Helper()
	for _, m := range c.members {
		c.signal(m.id, syscall.SIGKILL)
	}
	for _, m := range c.members {
		c.start(m.id, extra...)
	}
}

// kept checks that a leader is found, and that nothing is missing.
func (c *cluster) kept(executed uint64) {
	c.t.Helper()
	c.leader()
	c.agree()
	if got := c.executed(); got != executed {
		c.t.Errorf("%d commands have been executed, want %d", got, executed)
	}
}

// Flags that an earlier start needed stay in unit files. Beside good data they change nothing.
func TestFlagsLeftIn(t *testing.T) {
	beside(t)
	c, executed := loaded(t, 3)
	for _, flags := range [][]string{{"--rejoin"}, {"--bootstrap"}, {"--repair"}, {"--accept-loss"}, {"--bootstrap", "--repair"}, nil} {
		c.restart(flags...)
		c.kept(executed)
	}
}

// A start without durability over data that was voted on is refused by name and both values, and loses nothing.
func TestDurabilityIsNotDropped(t *testing.T) {
	beside(t)
	c, executed := loaded(t, 3)
	c.restart("--durability", "none")
	for _, m := range c.members {
		p := c.replicas[m.id]
		if code := p.exit(t, 10*time.Second); code != 1 || !strings.Contains(p.text(), "was run with fsync, this start says none") {
			t.Fatalf("exit code %d:\n%s", code, p.text())
		}
	}
	for _, m := range c.members {
		c.start(m.id, "--durability", "os")
	}
	c.kept(executed)
	c.restart()
	c.kept(executed)
}

// Where too many have lost their disks for the rest to lead, the operator decides, and the one that has everything is enough.
func TestLossIsAccepted(t *testing.T) {
	beside(t)
	for _, n := range []int{2, 3} {
		t.Run(fmt.Sprint(n, " replicas"), func(t *testing.T) {
			beside(t)
			c, executed := loaded(t, n)
			for id := 2; id <= n; id++ {
				c.signal(id, syscall.SIGKILL)
				if err := os.RemoveAll(filepath.Join(c.dir, fmt.Sprint(id))); err != nil {
					t.Fatal(err)
				}
				c.start(id, "--rejoin")
			}
			c.until("replicas that have forgotten and find no leader", func() bool {
				return strings.Contains(c.replicas[2].text(), "has forgotten what it voted") &&
					strings.Contains(c.replicas[1].text(), "start 1 of them, and no more, with --accept-loss")
			})
			// One is enough; with two of three, a quorum could do without the one that has everything.
			c.signal(2, syscall.SIGKILL)
			c.start(2, "--accept-loss")
			c.kept(executed)
		})
	}
}
