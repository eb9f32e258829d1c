package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// loseDisks ends replicas, takes their data away, and starts them again as ones that have lost it.
func (c *cluster) loseDisks(ids ...int) {
	c.t.Helper()
	for _, id := range ids {
		c.signal(id, syscall.SIGKILL)
	}
	for _, id := range ids {
		if err := os.RemoveAll(filepath.Join(c.dir, fmt.Sprint(id))); err != nil {
			c.t.Fatal(err)
		}
		c.start(id, "--rejoin")
	}
}

// ask returns what a replica's admin server answers.
func (c *cluster) ask(id int, path string) (int, string) {
	response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", c.members[id-1].admin, path))
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(text)
}

// saysWhy waits until a replica explains in its log, in /status and in /readyz why there is no leader.
func (c *cluster) saysWhy(id int, reason string) {
	c.t.Helper()
	c.until("replica "+fmt.Sprint(id)+" says why there is no leader", func() bool {
		ready, why := c.ask(id, "/readyz")
		_, status := c.ask(id, "/status")
		return ready == http.StatusServiceUnavailable && why != "" && strings.Contains(status, reason) &&
			strings.Contains(c.replicas[id].text(), reason)
	})
	if code, text := c.ask(id, "/healthz"); code != http.StatusOK {
		c.t.Errorf("replica %d has no leader and is not well either: %d, %s", id, code, text)
	}
}

func TestTwoReplicasOneLostDisk(t *testing.T) {
	beside(t)
	c := newCluster(t, 2)
	c.ready()
	c.loseDisks(2)
	const reason = "there can be no leader: that takes 2 of 2 replicas, and 1 do not vote"
	c.saysWhy(1, reason)
	c.saysWhy(2, reason)
	c.signal(2, syscall.SIGKILL)
	c.start(2, "--accept-loss")
	c.leader()
	c.agree()
}

func TestMostLostTheirDisks(t *testing.T) {
	beside(t)
	c := newCluster(t, 3)
	c.ready()
	c.loseDisks(2, 3)
	c.saysWhy(1, "that takes 2 of 3 replicas, and 2 do not vote")
	c.saysWhy(2, "that takes 2 of 3 replicas, and 2 do not vote")
}

// With the last disk the identity of the cluster is gone, too: they draw another one, and none of them votes.
func TestAllLostTheirDisks(t *testing.T) {
	beside(t)
	c := newCluster(t, 3)
	c.ready()
	c.loseDisks(1, 2, 3)
	c.saysWhy(2, "that takes 2 of 3 replicas, and 3 do not vote")
}

// A replica that hangs keeps its connections, and is told from one that takes part in elections.
func TestPeerHangs(t *testing.T) {
	beside(t)
	c := newCluster(t, 2)
	c.ready()
	c.signal(1, syscall.SIGSTOP)
	c.saysWhy(2, "there can be no leader now: that takes 2 of 2 replicas, 1 are within reach and vote")
	c.saysWhy(2, "replica 1 is connected and does not answer")
	c.signal(1, syscall.SIGCONT)
	c.leader()
}

func TestPeerIsAway(t *testing.T) {
	beside(t)
	c := newCluster(t, 2)
	c.ready()
	c.signal(1, syscall.SIGKILL)
	c.saysWhy(2, "there can be no leader now: that takes 2 of 2 replicas, 1 are within reach and vote")
	if _, status := c.ask(2, "/status"); !strings.Contains(status, "connection refused") {
		t.Errorf("nothing is said about the peer: %s", status)
	}
	c.start(1)
	c.ready()
}
