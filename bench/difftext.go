package bench

import (
	"fmt"
	"io"
	"text/tabwriter"

	"paxosbench/bench/suite"
)

// Write says of each cell who is ahead, and then what the comparison does not rest on.
func (d *Diff) Write(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "cell\tA / B\tinterval\truns\tp\tcorrected\tverdict")
	for i := range d.Cells {
		c := &d.Cells[i]
		fmt.Fprintf(table, "%s\t%.3f\t%s\t%d, %d\t%.2g\t%.2g\t%s\n", c.Cell, c.Ratio, interval(c.Lo, c.Hi, c.IsRange()), c.A, c.B, c.P,
			c.Corrected, c.verdict(d.Column))
	}
	if all := d.All; all.Pairs > 1 {
		fmt.Fprintf(table, "all cells together\t%.3f\t%s\t%d cells\t%.2g\t\t%d greater in A, %d in B\n", all.Ratio,
			interval(all.Lo, all.Hi, all.IsRange()), all.Pairs, all.P, all.Wins, all.Losses)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	d.writeLacks(out)
	return nil
}

// interval spells an interval, and says so if it is only the range of what was measured.
func interval(lo, hi float64, isRange bool) string {
	if isRange {
		return fmt.Sprintf("%.3f to %.3f (range)", lo, hi)
	}
	return fmt.Sprintf("[%.3f, %.3f] (95 %%)", lo, hi)
}

func (c *CellDiff) verdict(column suite.Column) string {
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

// writeLacks says what the comparison does not rest on.
func (d *Diff) writeLacks(out io.Writer) {
	few := 0
	for i := range d.Cells {
		if d.Cells[i].IsRange() {
			few++
		}
	}
	if few > 0 {
		fmt.Fprintf(out, "%d of %d cells have too few runs to show a difference: measure A and B with --repeats 4 or more, into new directories.\n",
			few, len(d.Cells))
	}
	for side, name := range []string{"A", "B"} {
		if n := d.Failing[side]; n > 0 {
			fmt.Fprintf(out, "%d runs of %s failed, are invalid or did not keep up, and count as worse than any figure.\n", n, name)
		}
		if n := d.Pending[side]; n > 0 {
			fmt.Fprintf(out, "%d planned runs of %s were not made.\n", n, name)
		}
		for _, cell := range [][]suite.Cell{d.OnlyA, d.OnlyB}[side] {
			fmt.Fprintf(out, "only %s has %s\n", name, cell)
		}
	}
	if d.Untold > 0 {
		fmt.Fprintf(out, "%d runs are left out: they lack the column\n", d.Untold)
	}
}
