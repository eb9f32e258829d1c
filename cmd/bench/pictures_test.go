//go:build linux

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"paxosbench/bench/record"
	"paxosbench/bench/suite"
	"paxosbench/cmd/program"
)

// TestFlame draws a profile beside itself, and says of an empty one what to do.
func TestFlame(t *testing.T) {
	fn := &profile.Function{ID: 1, Name: "main.work"}
	place := &profile.Location{ID: 1, Line: []profile.Line{{Function: fn}}}
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "cpu", Unit: "nanoseconds"}}, Function: []*profile.Function{fn}, Location: []*profile.Location{place},
		Sample: []*profile.Sample{{Location: []*profile.Location{place}, Value: []int64{5e6}}},
	}
	path := filepath.Join(t.TempDir(), "cpu.pprof")
	write := func() {
		var data bytes.Buffer
		if err := p.Write(&data); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write()
	if code, _, said := invoke(t, "flame", path); code != program.ExitDone {
		t.Fatalf("exit code %d: %s", code, said)
	}
	svg, err := os.ReadFile(strings.TrimSuffix(path, "pprof") + "svg")
	if err != nil || !bytes.Contains(svg, []byte("main.work")) || !bytes.Contains(svg, []byte(">cpu<")) {
		t.Errorf("%v: %.200s", err, svg)
	}
	if code, _, said := invoke(t, "flame", path, "--out", path); code != program.ExitUsage || !strings.Contains(said, "would be lost") {
		t.Errorf("over the profile: exit code %d, %s", code, said)
	}
	if code, _, said := invoke(t, "flame", path, "--out", "/dev/full"); code != program.ExitOutput {
		t.Errorf("to a full device: exit code %d, %s", code, said)
	}
	p.Sample = nil
	write()
	if code, _, said := invoke(t, "flame", path); code != program.ExitInternal || !strings.Contains(said, "no samples") {
		t.Errorf("an empty profile: exit code %d, %s", code, said)
	}
}

// TestOneReportAtATime has a report refused while another program writes to the directory.
func TestOneReportAtATime(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tiny")
	s, err := suite.Parse("tiny", []byte(tiny))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := suite.Create(dir, s, []byte(tiny), suite.Manifest{Suite: s.Name}, s.Plan(1, 1)); err != nil {
		t.Fatal(err)
	}
	lock, err := record.LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if code, _, said := invoke(t, "report", dir); code != program.ExitOutput || !strings.Contains(said, "another run or report writes to "+dir) {
		t.Errorf("beside another one: exit code %d, %s", code, said)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	if code, _, said := invoke(t, "report", dir); code != program.ExitDone {
		t.Errorf("exit code %d, %s", code, said)
	}
	if code, _, said := invoke(t, "report", dir+"/nothing"); code != program.ExitUsage || !strings.Contains(said, "holds no results") {
		t.Errorf("of nothing: exit code %d, %s", code, said)
	}
}

func TestCompareUsage(t *testing.T) {
	for _, args := range [][]string{
		{"compare"},
		{"compare", "--", "--nonsense 1", ""},
		{"compare", "--", "", "--window 64"},
		{"compare", "--pairs", "0", "--", "", ""},
		{"compare", "--bin", "nowhere", "--", "", ""},
	} {
		t.Chdir(t.TempDir())
		if code, _, said := invoke(t, args...); code != program.ExitUsage || said == "" {
			t.Errorf("%q: exit code %d, said %q", args, code, said)
		}
		if left, _ := filepath.Glob(".cluster/*"); len(left) > 0 {
			t.Errorf("%q left %v behind", args, left)
		}
	}
}
