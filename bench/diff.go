package bench

import (
	"fmt"

	"paxosbench/bench/stat"
	"paxosbench/bench/suite"
)

// Diff compares one column of two results directories: runs of equal cell and repeat are pairs.
type Diff struct {
	Column suite.Column
	Cells  []CellDiff
	// All compares the pairs of all cells together.
	All stat.Comparison
	// Left counts pairs that are left out: a run failed, is invalid or lacks the column.
	Left int
}

// CellDiff is the comparison of one cell.
type CellDiff struct {
	Cell suite.Cell
	stat.Comparison
}

// NewDiff compares two directories. It fails if they have no pair of usable runs in common.
func NewDiff(a, b *suite.Dir, column suite.Column) (*Diff, error) {
	d := &Diff{Column: column}
	of := make(map[string]*pairs)
	var all pairs
	others := indexRuns(b)
	for i := range a.Runs() {
		r := &a.Runs()[i]
		other := others[placeOf(r)]
		if other == nil || r.Kind != suite.KindRun {
			continue
		}
		va, vb, ok := d.values(r, other)
		if !ok {
			d.Left++
			continue
		}
		cell := r.Cell.String()
		if of[cell] == nil {
			of[cell] = &pairs{}
		}
		of[cell].add(va, vb)
		all.add(va, vb)
	}
	if len(all.a) == 0 {
		return nil, fmt.Errorf("%s and %s have no pair of usable runs in common", a.Path, b.Path)
	}
	return d, d.compare(a.Suite.Cells(), of, &all)
}

// pairs are values that belong together by place.
type pairs struct{ a, b []float64 }

func (p *pairs) add(a, b float64) { p.a, p.b = append(p.a, a), append(p.b, b) }

// place is what the runs of a pair have in common.
type place struct {
	cell   string
	repeat int
}

func placeOf(r *suite.Run) place { return place{r.Cell.String(), r.Repeat} }

func indexRuns(d *suite.Dir) map[place]*suite.Run {
	index := make(map[place]*suite.Run)
	for i := range d.Runs() {
		if r := &d.Runs()[i]; r.Kind == suite.KindRun {
			index[placeOf(r)] = r
		}
	}
	return index
}

// values returns the two values of a pair that can be compared: ratios need positive ones.
func (d *Diff) values(a, b *suite.Run) (va, vb float64, ok bool) {
	va, okA := a.Value(d.Column.Name)
	vb, okB := b.Value(d.Column.Name)
	return va, vb, okA && okB && va > 0 && vb > 0 && a.Usable() && b.Usable()
}

func (d *Diff) compare(cells []suite.Cell, of map[string]*pairs, all *pairs) (err error) {
	for _, cell := range cells {
		p := of[cell.String()]
		if p == nil {
			continue
		}
		c, err := stat.Compare(p.a, p.b)
		if err != nil {
			return fmt.Errorf("cell %s: %w", cell, err)
		}
		d.Cells = append(d.Cells, CellDiff{cell, c})
	}
	d.All, err = stat.Compare(all.a, all.b)
	return err
}
