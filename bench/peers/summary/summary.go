// Package summary shows what came of a comparison of systems: a table, and how far each is from this project's replicas.
package summary

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"

	"paxosbench/bench/record"
	"paxosbench/bench/stat"
	"paxosbench/bench/suite"
)

// situation is what systems are compared in: a cell but for the system.
type situation struct {
	cell    suite.Cell
	systems []system // the fastest first
	lowest  float64  // throughput of any run that held; 0: none did
}

// system is one system in a situation.
type system struct {
	name string
	runs []*suite.Run
}

// situations sorts runs, in the order of the suite's cells.
func situations(dir *suite.Dir) []*situation {
	var found []*situation
	runs := dir.Runs()
	for _, cell := range dir.Suite.Cells() {
		s := system{name: cell.Get(suite.KnobSystem)}
		for i := range runs {
			if runs[i].Kind == suite.KindRun && runs[i].Cell.String() == cell.String() {
				s.runs = append(s.runs, &runs[i])
			}
		}
		if len(s.runs) > 0 {
			of := find(&found, situationOf(cell))
			of.systems = append(of.systems, s)
		}
	}
	for _, s := range found {
		s.rank()
	}
	return found
}

// situationOf leaves out the system, and of cells that have a name how much they have in flight: there each has its own best.
func situationOf(cell suite.Cell) suite.Cell {
	if cell.Get(suite.KnobVariant) != "" {
		return cell.Without(suite.KnobSystem, suite.KnobInFlight)
	}
	return cell.Without(suite.KnobSystem)
}

func find(found *[]*situation, cell suite.Cell) *situation {
	for _, s := range *found {
		if s.cell.String() == cell.String() {
			return s
		}
	}
	*found = append(*found, &situation{cell: cell})
	return (*found)[len(*found)-1]
}

func (s *situation) rank() {
	slices.SortStableFunc(s.systems, func(a, b system) int {
		x, y := a.median("throughput").Median, b.median("throughput").Median
		switch {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	for _, one := range s.systems {
		for _, r := range one.runs {
			if ops, ok := r.Value("throughput"); ok && r.Held() && ops > 0 && (s.lowest == 0 || ops < s.lowest) {
				s.lowest = ops
			}
		}
	}
}

// median returns the median of a measured column; runs that failed count as worse than any figure.
func (s *system) median(column string) stat.Summary {
	c, ok := suite.ColumnOf(column)
	if !ok {
		panic("BUG: there is no column " + column)
	}
	return stat.Median(suite.Figures(s.runs, c))
}

// Write writes the table and, of what was measured in a closed loop, the geometric means.
func Write(w io.Writer, dir *suite.Dir) error {
	found := situations(dir)
	if len(found) == 0 {
		return fmt.Errorf("%s: no runs yet", dir.Path)
	}
	outages := dir.Suite.Timeline()
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range found {
		s.write(table, dir.Suite, outages)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nMedians of %d runs [95 %% interval, or the range of fewer than six]. In flight: commands, the same for all. CPU, disk and memory: all processes\n"+
		"of a system; wire: everything on loopback, clients included. Held: runs that are usable and, of an offered load, kept up.\n", dir.Manifest.Repeats)
	if outages {
		return nil
	}
	return writeMeans(w, found)
}

func (s *situation) write(table io.Writer, of *suite.Suite, outages bool) {
	last := "memory"
	if outages {
		last = "outage"
	}
	fmt.Fprintf(table, "%s\nsystem\tin flight\tops/s\t[interval]\tp50\tp99\tCPU/op\tdisk/op\twire/op\t%s\theld\n", s.title(), last)
	for _, one := range s.systems {
		held := 0
		for _, r := range one.runs {
			if r.Held() {
				held++
			}
		}
		rate := one.median("throughput")
		fmt.Fprintf(table, "%s\t%s\t%s\t[%s, %s]\t%s\t%s\t%s\t%s\t%s\t%s\t%d/%d\n", one.name, inFlight(of, one.runs[0]),
			number(rate.Median), number(rate.Lo), number(rate.Hi), ns(one.median("p50")), ns(one.median("p99")), ns(one.median("cpu_system")),
			figure(one.median("disk"), " B", 1), figure(one.median("wire"), " B", 1), one.last(outages), held, len(one.runs))
	}
	fmt.Fprintln(table)
}

// last is the last figure of a row.
func (s *system) last(outages bool) string {
	if outages {
		return figure(s.median("outage"), " s", 1)
	}
	return figure(s.median("resident"), " MiB", 1<<20)
}

func (s *situation) title() string {
	if len(s.cell) == 0 {
		return "all"
	}
	return s.cell.String()
}

// inFlight is how many commands a run had in flight at most, as far as its settings say.
func inFlight(of *suite.Suite, r *suite.Run) string {
	if n := of.Settings(r.Cell).Get(suite.KnobInFlight); n != "" {
		return n
	}
	return "-"
}

func number(v float64) string {
	switch {
	case math.IsInf(v, 0) || math.IsNaN(v):
		return "failed"
	case v >= 1e6:
		return fmt.Sprintf("%.3g M", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%.3g k", v/1e3)
	}
	return fmt.Sprintf("%.0f", v)
}

func ns(s stat.Summary) string {
	if !s.IsFigure() {
		return "-"
	}
	return record.Ns(int64(s.Median))
}

func figure(s stat.Summary, unit string, per float64) string {
	switch v := s.Median / per; {
	case !s.IsFigure():
		return "-"
	case v >= 1000:
		return fmt.Sprintf("%.0f%s", v, unit)
	default:
		return fmt.Sprintf("%.3g%s", v, unit)
	}
}
