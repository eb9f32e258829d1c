package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"paxosbench/bench/client/clienttest"
	"paxosbench/bench/record"
)

// A run that comes to nothing does not leave the result of an earlier one in its directory, nor does a series. One that
// is refused has touched nothing.
func TestOldResultsAreRemoved(t *testing.T) {
	server, dir := listen(t, clienttest.Config{}), t.TempDir()
	run(t, server, "--out", dir).want(t, exitValid, "")
	series := filepath.Join(dir, seriesFile)
	if err := os.WriteFile(series, []byte("[]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	server.Close()
	there := func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return !errors.Is(err, fs.ErrNotExist)
	}
	run(t, server, "--out", dir, "--window", "-1").want(t, exitUsage, "window")
	if !there(record.ResultFile) || !there(record.SeriesFile) {
		t.Error("a run that was refused has removed results")
	}
	run(t, server, "--out", dir, "--give-up", "20ms").want(t, exitUnreachable, "")
	if there(record.ResultFile) || there(record.SeriesFile) || there(record.IntendedFile) {
		t.Error("a run that came to nothing has left the results of another")
	}
	if !there(seriesFile) {
		t.Error("a run has removed what is a series'")
	}
	loadgen("ramp", "--from", "1k", "--to", "2k", "--addrs", server.Addr(), "--admin", "none", "--quiet", "--give-up", "20ms", "--out", dir).
		want(t, exitUnreachable, "")
	if there(seriesFile) {
		t.Error("a series that came to nothing has left that of another")
	}
}
