package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"paxosbench/bench"
	"paxosbench/bench/stat"
	"paxosbench/bench/suite"
)

// diffCommand is bench diff.
type diffCommand struct {
	A  string `arg:"" help:"Results directory."`
	B  string `arg:"" help:"Another one, of the same suite."`
	By string `help:"Measured column to compare (${default}), such as p50, p99 or cpu_leader." default:"throughput" placeholder:"COLUMN"`
}

// Help is the text below the usage line.
func (*diffCommand) Help() string {
	return `Runs are paired by cell and repeat. Ratios are medians of those of the pairs, A to B. A cell differs if an exact
sign test says so at 5 %, which is when the interval (of order statistics, for 95 %) leaves out 1; that takes six
repeats. Cells are tested one by one: of twenty that are equal, about one differs by chance. Runs that failed or
are invalid, in A or in B, are counted and left out.`
}

// Run carries out bench diff.
func (c *diffCommand) Run(s *session) error {
	column, ok := suite.ColumnOf(c.By)
	if !ok {
		return usage(fmt.Errorf("--by %q is no measured column", c.By))
	}
	a, err := suite.Open(c.A)
	if err != nil {
		return usage(err)
	}
	b, err := suite.Open(c.B)
	if err != nil {
		return usage(err)
	}
	diff, err := bench.NewDiff(a, b, column)
	if err != nil {
		return usage(err)
	}
	fmt.Fprintf(s.out, "%s of A (%s, commit %s) to B (%s, commit %s)\n\n", column.Label,
		a.Path, short(a.Manifest.Commit), b.Path, short(b.Manifest.Commit))
	return printDiff(s.out, diff)
}

func short(commit string) string { return commit[:min(len(commit), 12)] }

func printDiff(out io.Writer, diff *bench.Diff) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "cell\tA / B\t95 %\tpairs\tverdict")
	few := 0
	for _, c := range diff.Cells {
		printRow(table, c.Cell.String(), c.Comparison, diff.Column)
		if c.Pairs < stat.MinPairs {
			few++
		}
	}
	printRow(table, "all cells together", diff.All, diff.Column)
	if err := table.Flush(); err != nil {
		return err
	}
	if few > 0 {
		fmt.Fprintf(out, "\n%d of %d cells have too few pairs: fewer than %d cannot show a difference, and the interval is only their range.\n"+
			"Measure A and B with --repeats %d or more, into new directories.\n", few, len(diff.Cells), stat.MinPairs, stat.MinPairs)
	}
	if diff.Left > 0 {
		fmt.Fprintf(out, "\n%d pairs are left out: a run failed, is invalid or lacks the column\n", diff.Left)
	}
	return nil
}

func printRow(w io.Writer, name string, c stat.Comparison, column suite.Column) {
	fmt.Fprintf(w, "%s\t%.3f\t[%.3f, %.3f]\t%d\t%s\n", name, c.Ratio, c.Lo, c.Hi, c.Pairs, rowVerdict(c, column))
}

func rowVerdict(c stat.Comparison, column suite.Column) string {
	switch {
	case c.Pairs < stat.MinPairs:
		return "too few pairs"
	case c.Different() && !column.HigherIsBetter:
		return fmt.Sprintf("A has %.1f %% of B [%.1f, %.1f]", 100*c.Ratio, 100*c.Lo, 100*c.Hi)
	}
	return c.Verdict("A", "B")
}
