//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"paxosbench/bench/cluster"
	"paxosbench/bench/record"
	"paxosbench/cmd/program"
)

// exitInvalid is loadgen's exit code for a run during which something else happened than what was asked for.
const exitInvalid = 6

// up starts a cluster.
func up(t *testing.T, replicas int) *cluster.Cluster {
	return started(t, cluster.Config{Replicas: replicas})
}

// started starts one of some kind.
func started(t *testing.T, config cluster.Config) *cluster.Cluster {
	t.Helper()
	config.Program, config.Dir, config.PortBase = filepath.Join(bin, "replica"), filepath.Join(t.TempDir(), "cluster"), 26000
	config.Search, config.Tied, config.Flags = true, true, []string{"--durability", "none"}
	c, err := cluster.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return c
}

func idOf(t *testing.T, c *cluster.Cluster) string {
	t.Helper()
	s, err := c.State()
	if err != nil {
		t.Fatal(err)
	}
	return s.Cluster
}

// loadgen runs the load generator for a second, in an environment that names a cluster, and returns what became of it.
func loadgen(t *testing.T, env *cluster.Cluster, args ...string) (code int, said string, r *record.Result) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "loadgen"), append([]string{"run", "--rate", "500", "--conns", "1", "--quiet",
		"--warmup", "0s", "--duration", "1s", "--max-send-lag", "10s", "--out", out}, args...)...)
	cmd.Env = append(os.Environ(), cluster.EnvState+"="+env.Dir())
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if r, err = record.Load(out); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return cmd.ProcessState.ExitCode(), string(text), r
}

// whole fails unless all replicas of a cluster run.
func whole(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	var table strings.Builder
	if err := errors.Join(c.Err(), c.WriteStatus(t.Context(), &table)); err != nil || strings.Contains(table.String(), "down") {
		t.Errorf("%v\n%s", err, table.String())
	}
}

// Events take place on the cluster under load. If the environment or a flag names another one, nothing happens to either,
// and the event is reported as failed, with the ids of both; a program that does nothing, or does it elsewhere, is found out.
func TestEventsSpareOtherClusters(t *testing.T) {
	a, b := up(t, 3), up(t, 3)
	script := filepath.Join(t.TempDir(), "cluster.sh")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexec "+filepath.Join(bin, "bench")+" cluster \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	addrsOf := func(c *cluster.Cluster) []string {
		addrs, err := c.Addrs()
		if err != nil {
			t.Fatal(err)
		}
		return []string{"--addrs", strings.Join(addrs.Client, ","), "--admin", strings.Join(addrs.Admin, ",")}
	}
	for name, tt := range map[string]struct {
		env  *cluster.Cluster
		args []string
	}{
		"load on A, environment of B": {b, addrsOf(a)},
		"load on B, environment of A": {a, addrsOf(b)},
		"load on B, directory of A":   {b, append(addrsOf(b), "--cluster", a.Dir())},
		"load on A, script with B":    {b, append(addrsOf(a), "--cluster-script", script)},
	} {
		code, said, r := loadgen(t, tt.env, append(tt.args, "--at", "300ms kill leader")...)
		if code != exitInvalid || len(r.Events) != 1 || !strings.Contains(r.Events[0].Error, idOf(t, a)) || !strings.Contains(r.Events[0].Error, idOf(t, b)) {
			t.Errorf("%s: exit code %d, events %+v: %s", name, code, r.Events, said)
		}
	}
	code, said, r := loadgen(t, a, "--cluster-script", "true", "--at", "300ms kill 1")
	if code != exitInvalid || !strings.Contains(fmt.Sprint(r.Events), "still answers") {
		t.Errorf("done by nobody: exit code %d, events %+v: %s", code, r.Events, said)
	}
	whole(t, a)
	whole(t, b)
}

// The load and its events follow the cluster that is named, without addresses, and what was done is seen.
func TestEventsTakePlace(t *testing.T) {
	c := up(t, 3)
	code, said, r := loadgen(t, c, "--max-errors", "1", "--at", "200ms stop 1", "--at", "300ms cont 1", "--at", "400ms kill leader",
		"--at", "500ms start victim")
	if code != 0 || r.Verdict == record.Invalid {
		t.Errorf("exit code %d: %s", code, said)
	}
	restarts := 0
	for _, replica := range r.Replicas {
		restarts += replica.Restarts
		if replica.CPUNsPerOp <= 0 {
			t.Errorf("replica %d took %v ns/op", replica.ID, replica.CPUNsPerOp)
		}
	}
	if restarts != 1 || len(r.Events) != 4 {
		t.Errorf("%d restarts, events %+v", restarts, r.Events)
	}
	for _, e := range r.Events {
		if e.Error != "" || e.Note != "" {
			t.Errorf("%+v", e)
		}
	}
	whole(t, c)
}

// The command line acts on the cluster of its directory, and says by its exit code what stood against it.
func TestClusterCommand(t *testing.T) {
	c := up(t, 3)
	t.Setenv(cluster.EnvState, c.Dir())
	for _, tt := range []struct {
		code int
		said string
		args []string
	}{
		{program.ExitDone, ":26", []string{"addrs"}},
		{program.ExitDone, "", []string{"stop", "1"}},
		{program.ExitDone, "stopped", []string{"status"}},
		{program.ExitDone, "", []string{"cont", "1"}},
		{program.ExitDone, "replica opened", []string{"logs", "1"}},
		{program.ExitDone, "--durability", []string{"up", "--help"}},
		{program.ExitUsage, "there is no replica", []string{"kill", "9"}},
		{program.ExitUsage, "bench cluster kill --help", []string{"kill"}},
		{4, "--netem", []string{"isolate", "1"}},
		{4, "a cluster is up", []string{"up"}},
		{4, "a cluster is up", []string{"clean"}},
		{4, "is running", []string{"start", "1"}},
		{4, "another cluster is meant", []string{"kill", "1", "--expect", "7"}},
		{4, "there is no cluster", []string{"status", "--state", t.TempDir()}},
		{3, "there is no cluster", []string{"leader", "--state", t.TempDir()}},
		{program.ExitDone, "no cluster is up", []string{"down", "--state", t.TempDir()}},
		{program.ExitDone, "nothing to remove", []string{"clean", "--state", t.TempDir()}},
	} {
		code, stdout, stderr := invoke(t, append([]string{"cluster"}, tt.args...)...)
		if code != tt.code || !strings.Contains(stdout+stderr, tt.said) {
			t.Errorf("%q: exit code %d, want %d with %q: %s%s", tt.args, code, tt.code, tt.said, stdout, stderr)
		}
	}
	whole(t, c)
}

// A shell that asks for them gets the words that a command line can go on with.
func TestCompletion(t *testing.T) {
	for line, want := range map[string]string{
		"bench cluster is": "isolate\n", "bench cluster up --repl": "--replicas\n", "loadgen re": "report\n", "replica --boot": "--bootstrap\n",
	} {
		name, _, _ := strings.Cut(line, " ")
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, name))
		cmd.Env = append(os.Environ(), "COMP_LINE="+line, fmt.Sprintf("COMP_POINT=%d", len(line)))
		if got, err := cmd.Output(); err != nil || string(got) != want {
			t.Errorf("%q goes on with %q, want %q: %v", line, got, want, err)
		}
	}
}

// A cluster with TLS has credentials made for it, which the load generator finds, and which a replica that starts again has still.
// Without them nobody is served, and told why.
func TestClusterWithTLS(t *testing.T) {
	c := started(t, cluster.Config{Replicas: 3, TLS: true})
	if code, said, r := loadgen(t, c, "--at", "300ms kill leader", "--at", "600ms start victim"); code != 0 || r.Verification.Violations != 0 {
		t.Errorf("exit code %d, %d violations: %s", code, r.Verification.Violations, said)
	}
	whole(t, c)
	addrs, err := c.Addrs()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "loadgen"), "run", "--addrs", strings.Join(addrs.Client, ","), "--admin", "none", "--give-up", "1s")
	if text, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(text), "give --tls to all replicas and clients") {
		t.Errorf("without credentials: %v: %s", err, text)
	}
}
