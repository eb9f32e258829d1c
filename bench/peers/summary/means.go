package summary

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"

	"paxosbench/bench/stat"
	"paxosbench/bench/suite"
)

// penalty is what a run that failed counts for: so much of the lowest throughput that any run had in its situation. To leave it
// out would favour who fails where it is slow.
const penalty = 0.1

// mean is how far a system is from ours.
type mean struct {
	name       string
	ratio      stat.Summary // ours over theirs, the geometric mean over situations, by repeat
	situations int
	failed     int // runs of theirs
	ours       int // runs of ours that failed
}

// writeMeans writes for each system the geometric mean of the ratios of throughput.
func writeMeans(w io.Writer, found []*situation) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "\n%s over\tgeometric mean of throughput ratios\t[interval]\tsituations\tfailed runs\n", suite.OwnSystem)
	for _, m := range means(found) {
		fmt.Fprintf(table, "%s\t%.3g\t[%.3g, %.3g]\t%d\t%d and %d of ours\n", m.name, m.ratio.Median, m.ratio.Lo, m.ratio.Hi, m.situations, m.failed, m.ours)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "A run that failed counts as a tenth of the lowest throughput that any system had in its situation.\n")
	return err
}

// means compares every system with ours, over the situations in which both were measured.
func means(found []*situation) (all []mean) {
	var names []string
	for _, s := range found {
		for _, one := range s.systems {
			if one.name != suite.OwnSystem && !slices.Contains(names, one.name) {
				names = append(names, one.name)
			}
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if m := meanOf(found, name); m.situations > 0 {
			all = append(all, m)
		}
	}
	return all
}

func meanOf(found []*situation, name string) mean {
	m := mean{name: name}
	logs := make(map[int][]float64) // by repeat
	for _, s := range found {
		ours, theirs := s.of(suite.OwnSystem), s.of(name)
		if ours == nil || theirs == nil || s.lowest == 0 {
			continue
		}
		m.situations++
		for _, r := range theirs.runs {
			own := ours.repeat(r.Repeat)
			if own == nil {
				continue
			}
			m.failed, m.ours = m.failed+failures(r), m.ours+failures(own)
			logs[r.Repeat] = append(logs[r.Repeat], math.Log(s.counted(own)/s.counted(r)))
		}
	}
	var ratios []float64
	for _, of := range logs {
		sum := 0.0
		for _, l := range of {
			sum += l
		}
		ratios = append(ratios, math.Exp(sum/float64(len(of))))
	}
	m.ratio = stat.Median(ratios)
	return m
}

func (s *situation) of(name string) *system {
	for i := range s.systems {
		if s.systems[i].name == name {
			return &s.systems[i]
		}
	}
	return nil
}

func (s *system) repeat(n int) *suite.Run {
	for _, r := range s.runs {
		if r.Repeat == n {
			return r
		}
	}
	return nil
}

// counted is the throughput that a run counts for.
func (s *situation) counted(r *suite.Run) float64 {
	if ops, ok := r.Value("throughput"); ok && r.Held() && ops > 0 {
		return ops
	}
	return penalty * s.lowest
}

func failures(r *suite.Run) int {
	if r.Held() {
		return 0
	}
	return 1
}
