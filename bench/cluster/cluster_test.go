package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paxosbench/bench/netem"
	"paxosbench/wire"
)

// testPortBase is where the clusters of these tests search for ports.
const testPortBase = 25000

// program is the replica that TestMain has built.
var program string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "paxosbench-cluster-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "replica")
	if out, err := exec.Command("go", "build", "-o", program, "paxosbench/cmd/replica").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the replica: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

func config(t *testing.T, n int, flags ...string) Config {
	t.Helper()
	return Config{
		Program: program, Replicas: n, Dir: filepath.Join(t.TempDir(), "cluster"), PortBase: testPortBase, Search: true, Tied: true,
		Flags: append([]string{"--durability", "none"}, flags...),
	}
}

func started(t *testing.T, c Config) *Cluster {
	t.Helper()
	cluster, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return cluster
}

func leader(t *testing.T, c *Cluster) wire.ReplicaID {
	t.Helper()
	id, err := c.Leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestFailover(t *testing.T) {
	c := started(t, config(t, 3))
	first := leader(t, c)
	if err := c.Kill(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if second := leader(t, c); second == first {
		t.Errorf("replica %d leads though it was killed", first)
	}
	if err := c.Kill(t.Context(), first); err == nil {
		t.Error("killed twice")
	}
	if err := c.Err(); err != nil {
		t.Errorf("a death on purpose is reported: %v", err)
	}
	if err := c.Restart(t.Context(), first); err != nil {
		t.Error(err)
	}
	if err := c.Restart(t.Context(), first); err == nil {
		t.Error("started what runs")
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	c, err := Start(t.Context(), config(t, 1, "--unreplicated"))
	if err != nil {
		t.Fatal(err)
	}
	p := c.children[1]
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p.Alive() || p.fate() != "exit status 0" {
		t.Errorf("the replica ended with: %s", p.fate())
	}
	if _, err := os.Stat(c.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("data is left: %v", err)
	}
}

func TestUnknownFlagIsReported(t *testing.T) {
	c := config(t, 1, "--no-such-flag")
	_, err := Start(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "no-such-flag") || !strings.Contains(err.Error(), "exit status 2") {
		t.Errorf("started with an unknown flag: %v", err)
	}
	if _, err := os.Stat(filepath.Join(c.Dir, failedDir, "replica-1.log")); err != nil {
		t.Errorf("the log is gone: %v", err)
	}
}

func TestUnexpectedDeathIsReported(t *testing.T) {
	c := started(t, config(t, 3))
	if err := c.children[2].kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.children[2].fate() // is known when somebody has waited for the process, a moment after the system shows it as ended
	if err := c.Err(); err == nil || !strings.Contains(err.Error(), "replica 2") {
		t.Errorf("the death of replica 2 gives %v", err)
	}
}

func TestSlowLinks(t *testing.T) {
	slow := config(t, 3)
	slow.Link = netem.Config{Delay: 2 * time.Millisecond}
	leader(t, started(t, slow))
}

// A port that is taken between the search and the start of the replica costs another search, not the run.
func TestPortTakenMeanwhile(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "replica")
	text := fmt.Sprintf("#!/bin/sh\nif mkdir %s/once 2>/dev/null; then echo listen: address already in use; exit 1; fi\nexec %s \"$@\"\n", dir, program)
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	c := config(t, 1)
	c.Program = script
	leader(t, started(t, c))
}

// Where no ports are free, that is said before anything is started, and what to do.
func TestNoPorts(t *testing.T) {
	const base = 60000
	for port := base; port < base+portRange; port += portBlock {
		if l, err := net.Listen("tcp", loopback(port)); err == nil {
			defer l.Close()
		}
	}
	for _, err := range []error{CheckPorts(base), func() error {
		c := config(t, 1)
		c.PortBase = base
		_, err := Start(t.Context(), c)
		return err
	}()} {
		if !errors.Is(err, ErrNoPorts) || !strings.Contains(err.Error(), "from 60000 to 63999") || !strings.Contains(err.Error(), "--port-base") {
			t.Errorf("reported as: %v", err)
		}
	}
	if err := CheckPorts(testPortBase); err != nil {
		t.Error(err)
	}
}

func TestNoLeader(t *testing.T) {
	impatient := config(t, 3)
	impatient.Timeout = time.Millisecond
	if _, err := Start(t.Context(), impatient); !errors.Is(err, ErrNoLeader) {
		t.Errorf("a millisecond of patience gives %v", err)
	}
}

func TestCancelledStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, config(t, 3)); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled start gives %v", err)
	}
}

func TestImpossibleConfig(t *testing.T) {
	for _, change := range []func(*Config){
		func(c *Config) { c.Replicas = 0 },
		func(c *Config) { c.Replicas = MaxReplicas + 1 },
		func(c *Config) { c.PortBase = 80 },
		func(c *Config) { c.Link.Delay = -1 },
	} {
		c := config(t, 3)
		change(&c)
		if _, err := Start(t.Context(), c); err == nil {
			t.Errorf("started %+v", c)
		}
	}
}

// Clusters that start at the same time do not get into each other's way: each has ports of its own until it is stopped.
func TestClustersShareNoPorts(t *testing.T) {
	const n = 20
	blocks := make(chan *block, n)
	for range n {
		go func() {
			b, err := claimBlock(DefaultPortBase+8000, 3*MaxReplicas)
			if err != nil {
				t.Error(err)
			}
			blocks <- b
		}()
	}
	seen := make(map[int]bool)
	for range n {
		b := <-blocks
		if b == nil {
			continue
		}
		if seen[b.first] {
			t.Errorf("port %d was claimed twice", b.first)
		}
		seen[b.first] = true
		defer b.release()
	}
}
