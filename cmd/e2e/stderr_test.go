package e2e

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// piped starts the only replica of a cluster with a pipe of one page as standard error, and returns the end to read from
// once the replica leads.
func piped(t *testing.T) (*cluster, *os.File) {
	t.Helper()
	c := &cluster{t: t, dir: t.TempDir(), replicas: map[int]*process{}}
	c.addMembers(1)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = read.Close() }) // a test may have closed it
	if _, err := unix.FcntlInt(write.Fd(), unix.F_SETPIPE_SZ, os.Getpagesize()); err != nil {
		t.Fatal(err)
	}
	c.replicas[1] = startInto(t, write, exec.Command(filepath.Join(bin, "replica"), append(c.args(1), "--bootstrap")...))
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	c.leader()
	return c, read
}

// hangUp makes the replica log so many lines at most: one for each SIGHUP that it has noticed.
func (c *cluster) hangUp(times int) {
	c.t.Helper()
	for range times {
		c.signal(1, syscall.SIGHUP)
		time.Sleep(time.Millisecond)
	}
}

func (c *cluster) endsInGoodOrder() {
	c.t.Helper()
	if _, err := c.status(1); err != nil {
		c.t.Errorf("the replica does not answer: %v", err)
	}
	c.signal(1, syscall.SIGTERM)
	if code := c.replicas[1].exit(c.t, 10*time.Second); code != 0 {
		c.t.Errorf("SIGTERM ends the replica with %v", c.replicas[1].ProcessState)
	}
}

func TestReaderOfLogEnds(t *testing.T) {
	c, read := piped(t)
	if err := read.Close(); err != nil {
		t.Fatal(err)
	}
	c.hangUp(3)
	c.endsInGoodOrder()
}

// Far more is logged than pipe and queue hold.
func TestReaderOfLogHangs(t *testing.T) {
	beside(t)
	c, read := piped(t)
	c.hangUp(2000)
	c.endsInGoodOrder()
	lines := bufio.NewScanner(read)
	if !lines.Scan() || !strings.Contains(lines.Text(), "replica") {
		t.Errorf("what is in the pipe begins with %q", lines.Text())
	}
}

// A crash ends the replica although what the runtime has to say about it finds no room. SIGQUIT stands for any.
func TestReaderOfLogHangsInACrash(t *testing.T) {
	c, _ := piped(t)
	c.hangUp(100)
	c.signal(1, syscall.SIGQUIT)
	if code := c.replicas[1].exit(t, 10*time.Second); code != 2 {
		t.Errorf("SIGQUIT ends the replica with %v", c.replicas[1].ProcessState)
	}
}

// A reader that was slow reads on, and is told how many lines it has missed.
func TestReaderOfLogComesBack(t *testing.T) {
	beside(t)
	c, read := piped(t)
	c.hangUp(2000)
	found := make(chan bool, 1)
	go func() {
		lines := bufio.NewScanner(read)
		for lines.Scan() && !strings.Contains(lines.Text(), "log lines lost") {
		}
		found <- strings.Contains(lines.Text(), "lines=")
	}()
	c.until("the number of lost lines", func() bool {
		c.hangUp(1)
		select {
		case ok := <-found:
			return ok
		default:
			return false
		}
	})
}

func TestHangUpIsIgnored(t *testing.T) {
	c := newCluster(t, 1)
	c.ready()
	c.hangUp(1)
	c.until("a line about it", func() bool { return strings.Contains(c.replicas[1].text(), "SIGHUP ignored") })
	c.endsInGoodOrder()
}
