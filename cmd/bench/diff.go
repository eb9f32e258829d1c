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
	return `Runs are paired by cell and repeat. Ratios are A to B, with a bootstrap interval for 95 % and a sign
test. Runs that failed or are invalid, in A or in B, are counted and left out.`
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
	for _, c := range diff.Cells {
		printRow(table, c.Cell.String(), c.Comparison, diff.Column)
	}
	printRow(table, "all cells together", diff.All, diff.Column)
	if err := table.Flush(); err != nil {
		return err
	}
	if diff.Left > 0 {
		fmt.Fprintf(out, "\n%d pairs are left out: a run failed, is invalid or lacks the column\n", diff.Left)
	}
	return nil
}

func printRow(w io.Writer, name string, c stat.Comparison, column suite.Column) {
	verdict := c.Verdict("A", "B")
	if !column.HigherIsBetter && c.Pairs >= stat.MinPairs && c.Different() {
		verdict = fmt.Sprintf("A has %.1f %% of B [%.1f, %.1f]", 100*c.Ratio, 100*c.Lo, 100*c.Hi)
	}
	fmt.Fprintf(w, "%s\t%.3f\t[%.3f, %.3f]\t%d\t%s\n", name, c.Ratio, c.Lo, c.Hi, c.Pairs, verdict)
}
