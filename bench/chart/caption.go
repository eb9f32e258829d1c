package chart

import (
	"fmt"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg/draw"

	"paxosbench/bench/stat"
	"paxosbench/bench/suite"
)

// caption says what one must know to read the graph away from its report.
func (d *Data) caption() []string {
	m := d.Manifest
	commit := m.Commit
	if len(commit) > 12 {
		commit = commit[:12]
	}
	if m.Dirty {
		commit += " with changes"
	}
	where := fmt.Sprintf("%s: %d × %s, Linux %s, %s. Commit %s, %s, seed %d.", m.Host.Name, m.Host.CPUs, m.Host.CPU, m.Host.Kernel,
		m.Host.Filesystem, commit, m.Started.UTC().Format("2006-01-02"), m.Seed)
	if m.Nice < 0 {
		where += fmt.Sprintf(" At raised priority (nice %d).", m.Nice)
	}
	return []string{d.reading(), d.settings() + " " + where}
}

// settings says what holds in all cells of the graph, and in which of them something else does.
func (d *Data) settings() string {
	text := "Suite " + d.Suite.Name
	if len(d.Suite.Fixed) > 0 {
		text += ", all: " + d.Suite.Fixed.String()
	}
	for _, a := range d.Suite.Adjust {
		if d.has(a.When) {
			text += fmt.Sprintf("; where %s: %s", a.When, a.Set)
		}
	}
	return text + "."
}

// has tells whether the graph shows a cell with these settings.
func (d *Data) has(pattern suite.Cell) bool {
	shows := func(c suite.Cell) bool { return c.Over(d.Suite.Fixed).Matches(pattern) }
	return slices.ContainsFunc(d.Spots, func(s Spot) bool { return shows(s.Cell) }) ||
		slices.ContainsFunc(d.Courses, func(c Course) bool { return shows(c.Run.Cell) })
}

// reading says what marks and intervals mean.
func (d *Data) reading() string {
	if d.Graph.Kind == suite.KindTimeline {
		return d.readingCourses() + d.missing()
	}
	return d.Reading(d.Graph.Kind == suite.KindLine)
}

// Reading says what the marks and intervals of medians mean, which may be bands as well.
func (d *Data) Reading(bands bool) string {
	least, most := d.repeats()
	n := fmt.Sprintf("n = %d", least)
	if most > least {
		n += fmt.Sprintf(" to %d", most)
	}
	interval := "95 % interval of the median"
	switch {
	case most == 1:
		interval = ""
	case least < stat.MinPairs:
		interval = "range of the runs (too few for a 95 % interval)"
	}
	text := fmt.Sprintf("Medians of all runs, %s; %s.", n, d.readingMarks(interval, bands))
	if len(d.Facets) > 1 && d.Graph.Kind != suite.KindHeatmap && !d.scale().log {
		text += " Panels have scales of their own."
	}
	if d.anyBound() {
		dashed, unseen := " (dashed)", "; where it is not to be seen, it is higher"
		if d.Graph.Kind == suite.KindHeatmap {
			dashed, unseen = "", ""
		}
		text += " The bound" + dashed + " is what window, processors, disk and links allow by calculation" + unseen + "."
		if d.OtherCalibration != "" {
			text += " It was calibrated for another " + d.OtherCalibration + "."
		}
	}
	return text + d.missing()
}

// readingMarks says what the marks of a kind of graph stand for. The interval is empty if there is none.
func (d *Data) readingMarks(interval string, bands bool) string {
	if d.Graph.Kind == suite.KindHeatmap {
		return d.readingTiles(interval)
	}
	text := "whiskers: " + interval
	switch {
	case interval == "":
		text = "single runs have no interval"
	case bands:
		text = "bands and " + text
	}
	if d.Graph.Kind != suite.KindHeatmap {
		text += "; faint points: the runs"
	}
	return text + d.readingFills()
}

// readingFills says what came of runs that did not hold.
func (d *Data) readingFills() string {
	half, hollow := d.any(Half), d.any(Hollow)
	if !half && !hollow {
		return ""
	}
	text := "; a run that was invalid or did not keep up counts as worse than any figure"
	if d.Graph.Kind == suite.KindHeatmap {
		if hollow {
			text += "; in brackets: so did most, and the figure is the median of what was measured"
		}
		return text
	}
	if half {
		text += "; half filled: some did so"
	}
	if hollow {
		text += "; hollow: most did so, there is no figure, and the mark is at the median of what was measured"
	}
	return text + "; rings: those runs"
}

func (d *Data) readingTiles(interval string) string {
	text := "figures: " + measuredAxis(d.Column, nil, false).label
	if interval != "" && !d.anyBound() {
		text += "; ±: half the " + interval
	}
	text += "; darker is more"
	if _, _, log := d.extremes(); log {
		text += ", on a logarithmic scale"
	}
	text += "; framed: the best"
	if len(d.Facets) > 1 {
		text += " of a panel"
	}
	return text + d.readingFills()
}

func (d *Data) readingCourses() string {
	text := fmt.Sprintf("Every run is a line of its own; runs: %d. Dotted: what was done to the first run of a panel; grey: nothing of it was answered.", len(d.Courses))
	if highest := greatest(d.throughputs()); highest > d.roof() {
		text += fmt.Sprintf(" Peaks that leave the panel reach up to %s ops/s.", SI(highest))
	}
	return text
}

func (d *Data) missing() string {
	if d.Missing == 0 {
		return ""
	}
	return fmt.Sprintf(" Cells without figures: %d.", d.Missing)
}

// lines wraps paragraphs to the width of the picture.
func lines(style draw.TextStyle, paragraphs ...string) (out []string) {
	for _, p := range paragraphs {
		line := ""
		for _, word := range strings.Fields(p) {
			if line != "" && style.Width(line+" "+word) > width-2*margin {
				out, line = append(out, line), word
				continue
			}
			line = strings.TrimSpace(line + " " + word)
		}
		out = append(out, line)
	}
	return out
}
