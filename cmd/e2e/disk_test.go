package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Synced data that has changed keeps a replica from starting, by name and place. With --repair it sets the data aside and
// learns everything anew.
func TestDamagedDisk(t *testing.T) {
	beside(t)
	c := newCluster(t, 3)
	follower := c.ready()%3 + 1
	if code := c.load(time.Second).exit(t, 30*time.Second); code != 0 {
		t.Fatalf("loadgen ended with %d", code)
	}
	c.agree()
	c.signal(follower, syscall.SIGKILL)
	flipBits(t, filepath.Join(c.dir, strconv.Itoa(follower)))
	c.start(follower)
	p := c.replicas[follower]
	if code := p.exit(t, 10*time.Second); code != 1 || !strings.Contains(p.text(), "damaged") || !strings.Contains(p.text(), "at offset") {
		t.Fatalf("exit code %d:\n%s", code, p.text())
	}
	c.start(follower, "--repair")
	if code := c.load(time.Second).exit(t, 30*time.Second); code != 0 {
		t.Fatalf("loadgen ended with %d", code)
	}
	c.agree()
	if aside, err := filepath.Glob(filepath.Join(c.dir, strconv.Itoa(follower), "damaged-*")); err != nil || len(aside) != 1 {
		t.Errorf("set aside: %v, error %v", aside, err)
	}
}

// flipBits changes a byte of each of some blocks of the oldest segment in a data directory: of records in its midst.
func flipBits(t *testing.T, dir string) {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("no segments in %s, error %v", dir, err)
	}
	f, err := os.OpenFile(segments[0], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for place := int64(64<<10 + 100); place < 128<<10; place += 4 << 10 {
		var b [1]byte
		if _, err := f.ReadAt(b[:], place); err != nil {
			t.Fatal(err)
		}
		b[0] ^= 0x10
		if _, err := f.WriteAt(b[:], place); err != nil {
			t.Fatal(err)
		}
	}
}

// A replica whose disk is full stops and says so; the others go on, and it catches up when there is room again.
func TestFullDisk(t *testing.T) {
	c := newCluster(t, 0, "--segment-bytes", "8MiB", "--snapshot-bytes", "16MiB")
	c.addMembers(3)
	const small = 3 // the replica with the small disk
	dir := filepath.Join(c.dir, strconv.Itoa(small))
	mountSmall(t, dir)
	for _, m := range c.members {
		c.start(m.id, "--bootstrap")
	}
	c.leader()
	load := c.load(8*time.Second, "--value-size", "1KiB", "--keys", "1000") // small snapshots
	c.until("commands on the small disk", func() bool {
		s, err := c.status(small)
		return err == nil && s.Applied > 50
	})
	filler, p := filepath.Join(dir, "filler"), c.replicas[small]
	fill(t, filler, p)
	if code := p.exit(t, 30*time.Second); code != 1 || !strings.Contains(p.text(), "no space left on device") {
		t.Fatalf("exit code %d:\n%s", code, p.text())
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	c.start(small)
	c.endsWell(load)
}

// mountSmall mounts a disk that a replica with the test's segments and snapshots fits on, also while a peer lags: docs/architecture.md
// has the bound of the journal.
func mountSmall(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256m")
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		t.Skip("a disk that can be filled is a tmpfs, and mounting one takes root")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// fill writes to a file until the disk is full, and whatever room the replica makes until it has ended: one that finds a segment to
// use again, and replaces its snapshot, can go on for long on a full disk.
func fill(t *testing.T, path string, p *process) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	enough := time.After(20 * time.Second)
	for block := make([]byte, 64<<10); ; {
		if _, err := f.Write(block); err == nil {
			continue
		} else if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		select {
		case <-p.done:
			return
		case <-enough:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// A replica whose disk fails to sync stops acknowledging and ends; the others go on, and it comes back.
func TestSyncError(t *testing.T) {
	beside(t)
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("syncs of a running process are made to fail by strace, which is not installed")
	}
	c := newCluster(t, 3)
	follower := c.ready()%3 + 1
	load := c.load(4 * time.Second)
	before := c.commit()
	c.until("commands", func() bool { return c.commit() > before+50 })
	p := c.replicas[follower]
	inject := exec.Command(strace, "-f", "-qq", "-o", filepath.Join(c.dir, "strace.log"), "-e", "trace=fsync,fdatasync",
		"-e", "inject=fsync,fdatasync:error=EIO", "-p", strconv.Itoa(p.Process.Pid))
	if err := inject.Start(); err != nil {
		t.Fatal(err)
	}
	code := p.exit(t, 30*time.Second)
	_ = inject.Wait() // it ends with the process it was attached to
	if code != 1 || !strings.Contains(p.text(), "input/output error") {
		t.Fatalf("exit code %d:\n%s", code, p.text())
	}
	c.start(follower)
	c.endsWell(load)
}

// endsWell waits for the load to end without a failed operation, and for the replicas to agree.
func (c *cluster) endsWell(load *process) {
	c.t.Helper()
	if code := load.exit(c.t, 60*time.Second); code != 0 && code != exitInvalid {
		c.t.Fatalf("loadgen ended with %d:\n%s", code, load.text())
	}
	if r := c.result(); r.Ops.OK == 0 || r.Ops.Failed != 0 {
		c.t.Fatalf("result: %+v", r)
	}
	c.agree()
}
