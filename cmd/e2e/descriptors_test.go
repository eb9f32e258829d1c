package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"
)

// A follower that hands clients on has as many of them as it allows, and no descriptor more than it says that it needs. None of
// them, nor visitors of its admin address, may cost its journal the next segment.
func TestClientsNeverCostTheJournalItsFiles(t *testing.T) {
	beside(t)
	const places = 100 // at the follower; the leader has some for others, too
	c := newCluster(t, 3, "--forward", "--max-clients", fmt.Sprint(2*places), "--segment-bytes", "8MiB", "--durability", "os")
	follower := c.ready()%3 + 1
	c.signal(follower, syscall.SIGKILL)
	c.flags = append(c.flags, "--max-clients", fmt.Sprint(places))
	c.startWithin(follower, c.needed(follower))
	c.until("a follower that hears the leader", func() bool {
		s, err := c.status(follower)
		return err == nil && s.Leader != 0
	})
	c.crowd(follower, places, 0)
	before, err := c.status(follower)
	if err != nil {
		t.Fatal(err)
	}
	if code := c.load(3*time.Second, "--value-size", "1000", "--window", "64").exit(t, 60*time.Second); code != 0 {
		t.Errorf("loadgen ended with %d", code)
	}
	c.until("three segments more", func() bool {
		s, err := c.status(follower)
		return err == nil && s.Journal.Bytes > before.Journal.Bytes+24<<20
	})
	c.agree()
}

// needed returns how many open files a replica says that it needs when it is allowed too few.
func (c *cluster) needed(id int) int {
	c.t.Helper()
	c.startWithin(id, 64)
	if code := c.replicas[id].exit(c.t, 30*time.Second); code == 0 {
		c.t.Fatal("64 open files are enough")
	}
	var n int
	found := regexp.MustCompile(`needs? ([0-9]+)`).FindStringSubmatch(c.replicas[id].text())
	if found == nil {
		c.t.Fatalf("how many open files it needs is not said: %s", c.replicas[id].text())
	}
	if _, err := fmt.Sscan(found[1], &n); err != nil {
		c.t.Fatal(err)
	}
	return n
}

// startWithin starts a replica that may have so many files open.
func (c *cluster) startWithin(id, files int) {
	c.t.Helper()
	log := filepath.Join(c.dir, fmt.Sprintf("%d.files%d.log", id, files))
	file, err := os.Create(log)
	if err != nil {
		c.t.Fatal(err)
	}
	defer file.Close()
	limited := append([]string{"-c", `ulimit -n "$0" && exec "$@"`, fmt.Sprint(files), filepath.Join(bin, "replica")}, c.args(id)...)
	c.replicas[id] = startInto(c.t, file, exec.Command("sh", limited...))
	c.replicas[id].log = log
}
