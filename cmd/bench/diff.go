//go:build linux

package main

import (
	"fmt"
	"strings"

	"paxosbench/bench"
	"paxosbench/bench/suite"
	"paxosbench/cmd/program"
)

// diffCommand is bench diff.
type diffCommand struct {
	A      string `arg:"" help:"Results directory."`
	B      string `arg:"" help:"Another one, of the same suite."`
	By     string `help:"Measured column to compare (${default}), such as p50, p99 or cpu_leader." default:"throughput" placeholder:"COLUMN"`
	Anyway bool   `help:"Compare what was measured on different hosts, or for different times, sizes or loads, too."`
}

// Help is the text below the usage line.
func (*diffCommand) Help() string {
	return `Cells are compared without pairing: A and B were measured at different times. The ratio of A to B is the median of those
of every run of A to every one of B (Hodges and Lehmann); a cell differs if the exact test of Mann and Whitney says so at
5 %, corrected for the number of cells (Holm). The interval belongs to the test uncorrected; that takes four repeats or more.
"all cells together" compares the medians of the cells, each cell a pair, by a sign test. A run that failed, is invalid
or did not keep up with what was offered counts as worse than any figure: none is left out for what came of it.
Directories of different hosts, durations or loads are refused.`
}

// Run carries out bench diff.
func (c *diffCommand) Run(s *program.Session) error {
	column, ok := suite.ColumnOf(c.By)
	if !ok {
		return program.Usage(fmt.Errorf("--by %q is no measured column", c.By))
	}
	a, err := suite.Open(c.A)
	if err != nil {
		return program.Usage(err)
	}
	b, err := suite.Open(c.B)
	if err != nil {
		return program.Usage(err)
	}
	apart := bench.Apart(a, b)
	if len(apart) > 0 && !c.Anyway {
		return program.Usage(fmt.Errorf("%s and %s differ in more than the program: %s. Measure both alike, or compare them --anyway",
			a.Path, b.Path, strings.Join(apart, "; ")))
	}
	diff, err := bench.NewDiff(a, b, column)
	if err != nil {
		return program.Usage(err)
	}
	fmt.Fprintf(s.Out, "%s of A (%s, commit %s) to B (%s, commit %s)\n", column.Label,
		a.Path, short(a.Manifest.Commit), b.Path, short(b.Manifest.Commit))
	for _, reason := range apart {
		fmt.Fprintln(s.Out, "! not measured alike:", reason)
	}
	fmt.Fprintln(s.Out)
	return diff.Write(s.Out)
}

func short(commit string) string { return commit[:min(len(commit), 12)] }
