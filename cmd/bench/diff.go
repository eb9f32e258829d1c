package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

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
	return printDiff(s.Out, diff)
}

func short(commit string) string { return commit[:min(len(commit), 12)] }

func printDiff(out io.Writer, diff *bench.Diff) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "cell\tA / B\tinterval\truns\tp\tcorrected\tverdict")
	for i := range diff.Cells {
		c := &diff.Cells[i]
		fmt.Fprintf(table, "%s\t%.3f\t%s\t%d, %d\t%.2g\t%.2g\t%s\n", c.Cell, c.Ratio, interval(c.Lo, c.Hi, c.IsRange()), c.A, c.B, c.P,
			c.Corrected, cellVerdict(c, diff.Column))
	}
	if all := diff.All; all.Pairs > 1 {
		fmt.Fprintf(table, "all cells together\t%.3f\t%s\t%d cells\t%.2g\t\t%d greater in A, %d in B\n", all.Ratio,
			interval(all.Lo, all.Hi, all.IsRange()), all.Pairs, all.P, all.Wins, all.Losses)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	printLacks(out, diff)
	return nil
}

// interval spells an interval, and says so if it is only the range of what was measured.
func interval(lo, hi float64, isRange bool) string {
	if isRange {
		return fmt.Sprintf("%.3f to %.3f (range)", lo, hi)
	}
	return fmt.Sprintf("[%.3f, %.3f] (95 %%)", lo, hi)
}

func cellVerdict(c *bench.CellDiff, column suite.Column) string {
	switch {
	case c.Neither:
		return "neither held in most runs"
	case c.IsRange():
		return "too few runs to show a difference"
	case !c.Differs():
		return "no difference"
	case (c.Ratio > 1) == column.HigherIsBetter:
		return "A is better"
	}
	return "B is better"
}

// printLacks says what the comparison does not rest on.
func printLacks(out io.Writer, diff *bench.Diff) {
	few := 0
	for i := range diff.Cells {
		if diff.Cells[i].IsRange() {
			few++
		}
	}
	if few > 0 {
		fmt.Fprintf(out, "%d of %d cells have too few runs to show a difference: measure A and B with --repeats 4 or more, into new directories.\n",
			few, len(diff.Cells))
	}
	for side, name := range []string{"A", "B"} {
		if n := diff.Failing[side]; n > 0 {
			fmt.Fprintf(out, "%d runs of %s failed, are invalid or did not keep up, and count as worse than any figure.\n", n, name)
		}
		if n := diff.Pending[side]; n > 0 {
			fmt.Fprintf(out, "%d planned runs of %s were not made.\n", n, name)
		}
		for _, cell := range [][]suite.Cell{diff.OnlyA, diff.OnlyB}[side] {
			fmt.Fprintf(out, "only %s has %s\n", name, cell)
		}
	}
	if diff.Untold > 0 {
		fmt.Fprintf(out, "%d runs are left out: they lack the column\n", diff.Untold)
	}
}
