// Package suite describes measurements: a suite (axes of knobs, fixed settings, graphs), the plan of runs that follows
// from it, the runs themselves, and the directory they are kept in. It starts nothing and measures nothing.
package suite

import (
	"errors"
	"fmt"
	"time"
)

// Suite is one question and the measurements that answer it, as written in YAML.
type Suite struct {
	// Name is the suite's own, and that of its results directory.
	Name string `yaml:"name"`
	// Title heads the report.
	Title string `yaml:"title"`
	// Question is what the suite is to answer, in a sentence or two.
	Question string `yaml:"question"`

	// Axes are the knobs that vary; every combination of their values is a cell.
	Axes Axes `yaml:"axes"`
	// Fixed holds for all cells that do not say otherwise.
	Fixed Cell `yaml:"fixed"`
	// Adjust changes the settings of some cells without making them others.
	Adjust []Adjustment `yaml:"adjust"`
	// Include adds cells beside the combinations.
	Include []Cell `yaml:"include"`
	// Exclude drops the combinations that match any of these.
	Exclude []Cell `yaml:"exclude"`

	// Repeats is the number of runs of each cell, each with a cluster of its own.
	Repeats int `yaml:"repeats"`
	// Warmup is the load before each measurement, Duration the length of the measurement.
	Warmup   time.Duration `yaml:"warmup"`
	Duration time.Duration `yaml:"duration"`

	Graphs []Graph `yaml:"graphs"`
}

// Axes are knobs that vary, in the order written.
type Axes []Axis

// Axis is a knob and the values it takes, in order.
type Axis struct {
	Knob   string
	Values []string
}

// Adjustment sets knobs in the cells that match. It is for what a cell needs to be measurable and what does not matter
// to the question: fewer commands in flight, say, where thousands would wait for minutes. Pictures say of such cells how
// many they had.
type Adjustment struct {
	When Cell `yaml:"when"`
	Set  Cell `yaml:"set"`
}

// Kinds of graphs.
const (
	// KindLine draws Y over X, one line per value of Series.
	KindLine = "line"
	// KindHeatmap draws Value as colours over the knobs X and Y.
	KindHeatmap = "heatmap"
	// KindBars draws Y as bars, one per value of X, grouped by Series.
	KindBars = "bars"
	// KindHockey draws Y (a latency) over X (a throughput); the points of a line are in the order of the load offered.
	KindHockey = "hockey"
	// KindTimeline draws throughput and p99 over the time of each run.
	KindTimeline = "timeline"
)

// Graph is one picture of a suite. X, Y, Series, Facet and Value name a knob or a measured column (see Columns).
type Graph struct {
	// Name is that of the files, without extension.
	Name  string `yaml:"name"`
	Title string `yaml:"title"`
	Kind  string `yaml:"kind"`
	X     string `yaml:"x"`
	Y     string `yaml:"y"`
	// Value is the measured column that a heat map colours.
	Value string `yaml:"value"`
	// Series is the knob that tells lines or bars apart; empty: there is one.
	Series string `yaml:"series"`
	// Facet is the knob that tells panels apart; empty: there is one.
	Facet string `yaml:"facet"`
	// Where limits the graph to the cells with these settings.
	Where Cell `yaml:"where"`
	// XLog draws X on a logarithmic scale, YLog Y. Latencies are drawn logarithmic in any case.
	XLog bool `yaml:"xlog"`
	YLog bool `yaml:"ylog"`
	// Model draws the analytic bound beside the measurement.
	Model bool `yaml:"model"`
}

// Cells returns all cells: the combinations of the axes in the order written, the last axis fastest, less those
// excluded, and then those included.
func (s *Suite) Cells() []Cell {
	var cells []Cell
	for _, c := range combinations(s.Axes) {
		if !matchesAny(c, s.Exclude) {
			cells = append(cells, c)
		}
	}
	return append(cells, s.Include...)
}

func combinations(axes Axes) []Cell {
	if len(axes) == 0 {
		return nil
	}
	cells := []Cell{nil}
	for _, axis := range axes {
		var longer []Cell
		for _, c := range cells {
			for _, value := range axis.Values {
				longer = append(longer, c.With(axis.Knob, value))
			}
		}
		cells = longer
	}
	return cells
}

func matchesAny(c Cell, patterns []Cell) bool {
	for _, p := range patterns {
		if c.Matches(p) {
			return true
		}
	}
	return false
}

// Settings returns everything that holds in a cell: the fixed settings, with the adjustments and then the cell's own on
// top.
func (s *Suite) Settings(c Cell) Cell {
	settings := s.Fixed
	for _, a := range s.Adjust {
		if c.Over(s.Fixed).Matches(a.When) {
			settings = a.Set.Over(settings)
		}
	}
	return c.Over(settings)
}

// Timeline tells whether the suite's runs keep their course over time.
func (s *Suite) Timeline() bool {
	for _, g := range s.Graphs {
		if g.Kind == KindTimeline {
			return true
		}
	}
	return false
}

// Limits of a suite; what lies beyond is a slip of the pen.
const (
	maxCells   = 10_000
	maxRepeats = 1_000
	maxLength  = time.Hour
)

func (s *Suite) validate() error {
	switch {
	case !plainName(s.Name):
		return fmt.Errorf("name %q: want letters, digits and dashes", s.Name)
	case s.Title == "" || s.Question == "":
		return fmt.Errorf("suite %s: title and question say what it is for, and one is missing", s.Name)
	}
	if err := errors.Join(CheckRepeats(s.Repeats), CheckDuration(s.Duration), CheckWarmup(s.Warmup)); err != nil {
		return err
	}
	if err := s.validateCells(); err != nil {
		return err
	}
	return s.validateGraphs()
}

// CheckRepeats refuses a number of runs of each cell that makes no sense.
func CheckRepeats(n int) error {
	if n < 1 || n > maxRepeats {
		return fmt.Errorf("repeats %d: want 1 to %d", n, maxRepeats)
	}
	return nil
}

// CheckDuration refuses a length of a measurement that makes no sense.
func CheckDuration(d time.Duration) error {
	if d <= 0 || d > maxLength {
		return fmt.Errorf("duration %v: want more than 0, at most %v", d, maxLength)
	}
	return nil
}

// CheckWarmup refuses a warm-up that makes no sense.
func CheckWarmup(d time.Duration) error {
	if d < 0 || d > maxLength {
		return fmt.Errorf("warmup %v: want 0 to %v", d, maxLength)
	}
	return nil
}

func (s *Suite) validateCells() error {
	count := 1
	for _, axis := range s.Axes {
		if count *= len(axis.Values); count > maxCells {
			return fmt.Errorf("the axes have more than %d combinations", maxCells)
		}
	}
	seen := make(map[string]bool)
	for _, c := range s.Cells() {
		if seen[c.String()] {
			return fmt.Errorf("the cell %s comes twice", c)
		}
		seen[c.String()] = true
		if err := CheckSettings(s.Settings(c)); err != nil {
			return fmt.Errorf("cell %s: %w", c, err)
		}
	}
	if len(seen) == 0 {
		return fmt.Errorf("no cells: give axes or include")
	}
	return nil
}

// CheckSettings refuses settings of a cell that contradict each other. Whether the programs take them they are asked before a sweep.
func CheckSettings(settings Cell) error {
	if settings.Get(KnobLoad) != "" && settings.Get("rate") != "" {
		return fmt.Errorf("%s and rate both say how much to offer: leave one out", KnobLoad)
	}
	return nil
}

func (s *Suite) validateGraphs() error {
	seen := make(map[string]bool)
	for _, g := range s.Graphs {
		if !plainName(g.Name) || seen[g.Name] {
			return fmt.Errorf("graph %q: want a name of its own, of letters, digits and dashes", g.Name)
		}
		seen[g.Name] = true
		if err := g.validate(); err != nil {
			return fmt.Errorf("graph %s: %w", g.Name, err)
		}
	}
	return nil
}

func (g *Graph) validate() error {
	switch g.Kind {
	case KindTimeline:
		return nil
	case KindLine, KindBars, KindHockey:
		if g.Value != "" {
			return fmt.Errorf("value is for heat maps")
		}
	case KindHeatmap:
		if _, ok := ColumnOf(g.Value); !ok {
			return fmt.Errorf("value %q: want a measured column: %s", g.Value, columnNames())
		}
	default:
		return fmt.Errorf("kind %q: want line, heatmap, bars, hockey or timeline", g.Kind)
	}
	for key, name := range map[string]string{"x": g.X, "y": g.Y} {
		if _, column := ColumnOf(name); !column && OwnerOf(name) == 0 {
			return fmt.Errorf("%s %q is neither a knob nor a measured column (%s)", key, name, columnNames())
		}
	}
	for key, name := range map[string]string{"series": g.Series, "facet": g.Facet} {
		if name != "" && OwnerOf(name) == 0 {
			return fmt.Errorf("%s %q is no knob", key, name)
		}
	}
	return nil
}

func plainName(name string) bool {
	for _, r := range name {
		if r != '-' && (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}
