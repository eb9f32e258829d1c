//go:build linux

package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"paxosbench/bench"
	"paxosbench/bench/suite"
	"paxosbench/bench/suites"
	"paxosbench/cmd/program"
)

// Every value that a program would refuse is refused before anything runs, all at once, in the words of the program.
func TestProgramsAreAsked(t *testing.T) {
	text := strings.NewReplacer("batch: [none, adaptive]", `batch: [none, "count:0"]`+"\n  linger: [0s, -1s]",
		"window: 4", "window: many, at: 1s explode leader").Replace(tiny)
	for _, command := range [][]string{{"run", write(t, text), "--dry-run", "--bin", bin}, {"run", write(t, text), "--bin", bin, "--out", t.TempDir() + "/none"}} {
		code, stdout, stderr := invoke(t, command...)
		for _, want := range []string{"cell conns=1 window=many", `batch "count:0"`, "linger: -1s", "--window", "many"} {
			if code != program.ExitUsage || stdout != "" || !strings.Contains(stderr, want) {
				t.Errorf("exit code %d, no %q in: %s%s", code, want, stdout, stderr)
			}
		}
	}
}

// What contradicts something else is refused as well: of the replicas, of the load, of both.
func TestSettingsThatContradictEachOther(t *testing.T) {
	local := &bench.Local{Bin: bin}
	for text, want := range map[string]string{
		"batch=none window=64 load=50% arrival=poisson": "",
		"memory=256MiB connect-timeout=1s rate=5k":      "",
		"unreplicated=true replicas=1":                  "",
		`at="1s isolate leader; 2s heal victim"`:        "",
		"heartbeat=1s":                                  "election-timeout",
		"unreplicated=true":                             "unreplicated",
		"quorum2=4":                                     "quorum2",
		"arrival=poisson":                               "give --rate",
		"workload=ycsb-a mix=put:1":                     "mix",
		"reads=maybe":                                   "maybe",
		"at=soon":                                       "soon",
		`at="4s kill leader"`:                           "lengthen --duration",
	} {
		cell, err := suite.ParseCell(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := local.Check(t.Context(), 3*time.Second, []suite.Cell{cell}); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// The programs take all settings of the suites that come with them.
func TestProgramsTakeShippedSuites(t *testing.T) {
	local := &bench.Local{Bin: bin}
	var cells []suite.Cell
	for _, name := range suites.Names() {
		s, _, err := suites.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, cell := range s.Cells() {
			if settings := s.Settings(cell); !slices.ContainsFunc(cells, func(c suite.Cell) bool { return c.String() == settings.String() }) {
				cells = append(cells, settings)
			}
		}
	}
	if err := local.Check(t.Context(), time.Minute, cells); err != nil {
		t.Error(err)
	}
}
