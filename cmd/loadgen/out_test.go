//go:build linux

package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"paxosbench/bench/record"
	"paxosbench/wire/client/clienttest"
)

// A run that comes to nothing leaves what an earlier one has left, and so does a series; so does one that is refused.
func TestOldResultsStayUntilThereAreNewOnes(t *testing.T) {
	server, dir := listen(t, clienttest.Config{}), t.TempDir()
	run(t, server, "--out", dir).want(t, exitValid, "")
	if err := os.WriteFile(filepath.Join(dir, seriesFile), []byte("[]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := contents(t, dir)
	server.Close()
	run(t, server, "--out", dir, "--window", "-1").want(t, exitUsage, "window")
	run(t, server, "--out", dir, "--give-up", "20ms").want(t, exitUnreachable, "")
	loadgen("ramp", "--from", "1k", "--to", "2k", "--addrs", server.Addr(), "--admin", "none", "--quiet", "--give-up", "20ms", "--out", dir).
		want(t, exitUnreachable, "")
	after := contents(t, dir)
	delete(after, "rate-0000001000")
	if !maps.Equal(before, after) {
		t.Errorf("there are %v, there were %v", slices.Sorted(maps.Keys(after)), slices.Sorted(maps.Keys(before)))
	}
}

// contents returns what the files of a directory hold; directories are empty.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	found, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	for _, entry := range found {
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil && !entry.IsDir() {
			t.Fatal(err)
		}
		files[entry.Name()] = string(text)
	}
	return files
}

// What cannot be written is noticed before the run, where it can be, and otherwise does not cost the figures.
func TestOutputsThatCannotBeWritten(t *testing.T) {
	server, dir := listen(t, clienttest.Config{}), t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	o := run(t, server, "--out", filepath.Join(file, "dir"))
	o.want(t, exitOutput, "cannot be written: mkdir "+file)
	if server.State().Executed() > 0 {
		t.Error("the run was carried out all the same")
	}
	lock, err := record.MakeDir(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"run"}, {"ramp", "--from", "1k", "--to", "1k"}, {"search"}} {
		loadgen(append(command, "--addrs", server.Addr(), "--admin", "none", "--quiet", "--out", filepath.Join(dir, "out"))...).
			want(t, exitOutput, "another run or report writes to ")
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	run(t, server, "--out", filepath.Join(dir, "out")).want(t, exitValid, "")
	loadgen("report", "--out", "/dev/full", filepath.Join(dir, "out")).want(t, exitOutput, "no space left")
}

// A report may take the place of the file that it is made from.
func TestReportInPlace(t *testing.T) {
	server, dir := listen(t, clienttest.Config{}), t.TempDir()
	run(t, server, "--out", dir).want(t, exitValid, "")
	log := filepath.Join(dir, record.LogFile)
	before, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	loadgen("report", "--format", "hlog", "--out", log, dir).want(t, exitValid, "")
	if after, err := os.ReadFile(log); err != nil || len(after) == 0 || string(after) != string(before) {
		t.Errorf("%d bytes have become %d (%v)", len(before), len(after), err)
	}
}

// A report does not take the place of the result that it is made from.
func TestReportOverItsResult(t *testing.T) {
	server, dir := listen(t, clienttest.Config{}), t.TempDir()
	run(t, server, "--out", dir).want(t, exitValid, "")
	before := contents(t, dir)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Join(dir, record.LogFile), link); err != nil {
		t.Fatal(err)
	}
	result := filepath.Join(dir, record.ResultFile)
	for _, args := range [][]string{
		{"--out", result, dir}, {"--format", "csv", "--out", filepath.Join(dir, record.SeriesFile), result}, {"--out", link, dir},
	} {
		loadgen(append([]string{"report"}, args...)...).want(t, exitUsage, "would be lost")
	}
	loadgen("report", "--format", "hgrm", "--out", filepath.Join(dir, record.IntendedFile), dir).want(t, exitValid, "")
	if after := contents(t, dir); !maps.Equal(before, after) {
		t.Errorf("there are %v, there were %v", slices.Sorted(maps.Keys(after)), slices.Sorted(maps.Keys(before)))
	}
}

// A picture of an illegal history is taken away by the next run in its place.
func TestPictureOfAnotherRun(t *testing.T) {
	dir := t.TempDir()
	picture := filepath.Join(dir, historyFile)
	if err := record.SavePage(picture, []byte("<html>illegal</html>")); err != nil {
		t.Fatal(err)
	}
	if page, err := os.ReadFile(picture); err != nil || len(page) == 0 {
		t.Fatalf("%d bytes, %v", len(page), err)
	}
	run(t, listen(t, clienttest.Config{}), "--out", dir, "--verify", "history", "--mix", "put:0.5,get:0.5").want(t, exitValid, "")
	if _, err := os.Stat(picture); err == nil {
		t.Error("the picture of another run is still there")
	}
}
