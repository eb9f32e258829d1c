package bench

import (
	"fmt"
	"slices"
	"strings"

	"paxosbench/bench/stat"
	"paxosbench/bench/suite"
)

// Diff compares one column of two results directories, cell by cell. They were measured one after the other, so that no
// run of the one belongs to one of the other.
type Diff struct {
	Column suite.Column
	Cells  []CellDiff
	// All compares the medians of the cells, each cell a pair.
	All stat.Comparison
	// OnlyA and OnlyB are cells that one of the two has no runs of.
	OnlyA, OnlyB []suite.Cell
	// Untold counts runs that held and lack the column: they are the only ones left out.
	Untold int
	// Failing counts the runs of each that did not hold, and so count as worse than any figure.
	Failing [2]int
	// Pending counts the runs of each that are planned and not made.
	Pending [2]int
}

// CellDiff is the comparison of one cell.
type CellDiff struct {
	Cell suite.Cell
	stat.Unpaired
	// Corrected is P for the number of cells.
	Corrected float64
	// Neither tells that most runs of both did not hold.
	Neither bool
}

// Differs tells whether A and B differ in the cell, all cells considered.
func (c *CellDiff) Differs() bool { return c.Corrected <= 1-stat.Confidence }

// NewDiff compares two directories. It fails if they have no cell with figures in common.
func NewDiff(a, b *suite.Dir, column suite.Column) (*Diff, error) {
	d := &Diff{Column: column, Pending: [2]int{len(a.Pending()), len(b.Pending())}}
	runsA, runsB := d.byCell(a, 0), d.byCell(b, 1)
	var medians pairs
	for _, cell := range a.Suite.Cells() {
		of := [2][]*suite.Run{runsA[cell.String()], runsB[cell.String()]}
		switch {
		case len(of[0]) > 0 && len(of[1]) > 0:
			if err := d.compare(cell, of, &medians); err != nil {
				return nil, err
			}
		case len(of[0]) > 0:
			d.OnlyA = append(d.OnlyA, cell)
		}
	}
	for _, cell := range b.Suite.Cells() {
		if len(runsB[cell.String()]) > 0 && len(runsA[cell.String()]) == 0 {
			d.OnlyB = append(d.OnlyB, cell)
		}
	}
	if len(d.Cells) == 0 {
		return nil, fmt.Errorf("%s and %s have no cell with figures of %s in common", a.Path, b.Path, column.Name)
	}
	return d, d.conclude(&medians)
}

// pairs are values that belong together by place.
type pairs struct{ a, b []float64 }

// byCell gathers the runs of a directory and counts those that did not hold.
func (d *Diff) byCell(dir *suite.Dir, side int) map[string][]*suite.Run {
	of := make(map[string][]*suite.Run)
	for i := range dir.Runs() {
		r := &dir.Runs()[i]
		if r.Kind != suite.KindRun {
			continue
		}
		if !r.Held() {
			d.Failing[side]++
		}
		of[r.Cell.String()] = append(of[r.Cell.String()], r)
	}
	return of
}

func (d *Diff) compare(cell suite.Cell, runs [2][]*suite.Run, medians *pairs) error {
	a, b := suite.Figures(runs[0], d.Column), suite.Figures(runs[1], d.Column)
	d.Untold += len(runs[0]) - len(a) + len(runs[1]) - len(b)
	if len(a) == 0 || len(b) == 0 {
		return nil
	}
	c, err := stat.CompareUnpaired(a, b)
	if err != nil {
		return fmt.Errorf("cell %s: %w", cell, err)
	}
	x, y := stat.Median(a), stat.Median(b)
	d.Cells = append(d.Cells, CellDiff{Cell: cell, Unpaired: c, Neither: !x.IsFigure() && !y.IsFigure()})
	medians.a, medians.b = append(medians.a, x.Median), append(medians.b, y.Median)
	return nil
}

func (d *Diff) conclude(medians *pairs) (err error) {
	ps := make([]float64, len(d.Cells))
	for i := range d.Cells {
		ps[i] = d.Cells[i].P
	}
	for i, p := range stat.Holm(ps) {
		d.Cells[i].Corrected = p
	}
	d.All, err = stat.Compare(medians.a, medians.b)
	return err
}

// Apart lists what two directories differ in besides the program, each with both values: the host, how long a run was, and
// the load and the cluster of cells that both have. What they have of it in common is all that a comparison of the two
// could be about the program.
func Apart(a, b *suite.Dir) []string {
	var apart []string
	differ := func(what string, x, y any) {
		if x != y {
			apart = append(apart, fmt.Sprintf("%s: %v and %v", what, x, y))
		}
	}
	m, n := &a.Manifest, &b.Manifest
	differ("warm-up", m.Warmup, n.Warmup)
	differ("duration", m.Duration, n.Duration)
	differ("host", m.Host.Name, n.Host.Name)
	differ("processor", m.Host.CPU, n.Host.CPU)
	differ("processors", m.Host.CPUs, n.Host.CPUs)
	differ("governor", m.Host.Governor, n.Host.Governor)
	differ("kernel", m.Host.Kernel, n.Host.Kernel)
	if m.Host.CongestionControl != "" && n.Host.CongestionControl != "" {
		differ("congestion control", m.Host.CongestionControl, n.Host.CongestionControl)
	}
	differ("file system", m.Host.Filesystem, n.Host.Filesystem)
	differ("nice", m.Nice, n.Nice)
	for _, cell := range a.Suite.Cells() {
		if !slices.ContainsFunc(b.Suite.Cells(), func(c suite.Cell) bool { return c.String() == cell.String() }) {
			continue
		}
		x, y := load(a.Suite.Settings(cell)), load(b.Suite.Settings(cell))
		if x != y {
			differ("settings of "+cell.String(), x, y)
			break // the others have the same reason
		}
	}
	return apart
}

// load spells what the settings of a cell ask of the replicas: all but the replicas' own flags, which may be what is
// compared.
func load(settings suite.Cell) string {
	var of []string
	for _, s := range settings {
		if suite.OwnerOf(s.Knob) != suite.Replica {
			of = append(of, suite.Cell{s}.String())
		}
	}
	slices.Sort(of)
	return strings.Join(of, " ")
}
