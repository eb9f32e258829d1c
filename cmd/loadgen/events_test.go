//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"paxosbench/bench/record"
	"paxosbench/wire/client/clienttest"
)

// fakeScript is a cluster script that can do anything but stop replicas.
func fakeScript(t *testing.T) string {
	t.Helper()
	script := filepath.Join(t.TempDir(), "cluster.sh")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n[ $1 != stop ] || { echo 'no such replica' >&2; exit 2; }\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return script
}

func TestEvents(t *testing.T) {
	server, script := listen(t, clienttest.Config{}), fakeScript(t)
	o := run(t, server, "--cluster-script", script, "--at", "100ms kill 1", "--at", "200ms start 1")
	o.want(t, exitValid, "")
	for _, done := range []string{" s  kill 1 (took ", " s  start 1 (took "} {
		if !strings.Contains(o.out, done) {
			t.Errorf("%q is missing in\n%s", done, o.out)
		}
	}
	o = run(t, server, "--cluster-script", script, "--at", "100ms stop 7")
	o.want(t, exitInvalid, "events: what --at asked for did not take place: stop 7: ")
	if !strings.HasPrefix(o.out, "INVALID") || !strings.Contains(o.out, "failed: "+script+" stop 7: exit status 2: no such replica\n") {
		t.Errorf("the summary does not say what failed:\n%s", o.out)
	}
	for event, message := range map[string]string{
		"1s frobnicate leader": "want one of kill, start, stop, cont",
		"300ms kill 1":         "the measurement ends after 300ms: lengthen --duration, or do it earlier",
		"1h kill 1":            "lengthen --duration",
		"100ms start victim":   "give the replica's id",
	} {
		run(t, server, "--cluster-script", script, "--at", event).want(t, exitUsage, message)
	}
	run(t, server, "--at", "0s kill 1", "--cluster-script", "nowhere").want(t, exitUsage, "the program of --cluster-script")
}

// A window of 0 is what it is said to be in either loop: what the replicas grant.
func TestWindowAsGranted(t *testing.T) {
	server := listen(t, clienttest.Config{})
	for _, tt := range []struct {
		args []string
		want float64
	}{{[]string{"--window", "0"}, 0}, {[]string{"--window", "7"}, 7}, {[]string{"--rate", "1k", "--window", "0"}, 0}} {
		dir := t.TempDir()
		run(t, server, append(tt.args, "--duration", "100ms", "--max-errors", "1", "--out", dir)...)
		r, err := record.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		if r.Config["window"] != tt.want || r.Ops.OK == 0 {
			t.Errorf("%v: a window of %v, %d operations", tt.args, r.Config["window"], r.Ops.OK)
		}
	}
}

// TestIntervalsOfEvents wants the series of a run with events fine enough to show them, unless something else is said, which
// may not be nothing.
func TestIntervalsOfEvents(t *testing.T) {
	server, script := listen(t, clienttest.Config{}), fakeScript(t)
	for _, c := range []struct {
		args   []string
		length float64
	}{
		{[]string{"--duration", "300ms"}, 0.3},
		{[]string{"--duration", "300ms", "--at", "100ms kill 1", "--cluster-script", script}, 0.1},
		{[]string{"--duration", "300ms", "--at", "100ms kill 1", "--cluster-script", script, "--interval", "50ms"}, 0.05},
	} {
		dir := t.TempDir()
		args := append([]string{"run", "--addrs", server.Addr(), "--admin", "none", "--quiet", "--warmup", "0s", "--conns", "1", "--keys", "1000", "--out", dir}, c.args...)
		loadgen(args...)
		file, err := os.Open(filepath.Join(dir, record.SeriesFile))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		rows, err := record.ReadRows(file)
		if err != nil || len(rows) == 0 || rows[0].LengthS < 0.9*c.length || rows[0].LengthS > 1.5*c.length {
			t.Errorf("%v: %d intervals, the first of %v s (%v)", c.args, len(rows), rows[0].LengthS, err)
		}
	}
	run(t, server, "--interval", "0s").want(t, exitUsage, "interval 0s: at least 10ms")
}
