package chart

import (
	"bytes"
	"image/color"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/recorder"

	"paxosbench/bench/chart/charttest"
	"paxosbench/bench/model"
	"paxosbench/bench/stat"
	"paxosbench/bench/suite"
)

// spread gives the spots of a graph values from 1 to a highest one.
func spread(d *Data, highest float64) {
	for i := range d.Spots {
		v := 1 + (highest-1)*float64(i)/float64(len(d.Spots)-1)
		d.Spots[i].Y, d.Spots[i].Figure = stat.Summary{N: 3, Lo: v, Median: v, Hi: v}, v
		for j := range d.Spots[i].Runs {
			d.Spots[i].Runs[j].Y = v
		}
	}
}

// TestDataFillsPanel wants little left free above and beside the data, however many powers of ten an axis spans.
func TestDataFillsPanel(t *testing.T) {
	for _, highest := range []float64{4, 1e3, 1e6} {
		d := collect(t, parse(t, everything), "line")
		d.Graph.YLog, d.Graph.Series = true, "batch"
		spread(d, highest)
		panels, err := d.panels()
		if err != nil {
			t.Fatal(err)
		}
		p := panels[0][0]
		takeLettering(p)
		whole := draw.NewCanvas(new(recorder.Canvas), width, panelHeight)
		data := p.DataCanvas(whole)
		if above, beside := whole.Max.Y-data.Max.Y, whole.Max.X-data.Max.X; above > vg.Points(10) || beside > vg.Points(10) {
			t.Errorf("to %g: %.0f points are free above the data, %.0f beside", highest, above.Points(), beside.Points())
		}
	}
}

// TestFarBound wants a bound far above what was reached to leave the page and not to flatten the lines.
func TestFarBound(t *testing.T) {
	d := collect(t, parse(t, everything), "line")
	spread(d, 30)
	for i := range d.Spots {
		d.Spots[i].Bound = 5000
	}
	p, err := d.lines(d.Facets[0])
	if err != nil {
		t.Fatal(err)
	}
	if p.Y.Max > 60 {
		t.Errorf("an axis for values up to 30 goes to %g", p.Y.Max)
	}
}

// TestNarrowIntervalsAreSeen wants an interval to be seen that is narrower than the mark it belongs to, whatever the kind of graph.
func TestNarrowIntervalsAreSeen(t *testing.T) {
	for _, name := range []string{"line", "single", "hockey", "bars", "dots"} {
		d := collect(t, parse(t, everything), name)
		picture := func(width float64) []byte {
			for i := range d.Spots {
				y := &d.Spots[i].Y
				y.Lo, y.Hi = y.Median*(1-width), y.Median*(1+width)
			}
			var out bytes.Buffer
			if err := d.Write(&out, "png"); err != nil {
				t.Fatal(err)
			}
			return out.Bytes()
		}
		if bytes.Equal(picture(0.004), picture(0)) {
			t.Errorf("%s: a narrow interval looks like none", name)
		}
	}
}

func TestMeasuredAxis(t *testing.T) {
	for _, c := range []struct {
		column string
		values []float64
		log    bool
		label  string
		spelt  string // the value 0.5
	}{
		{"throughput", []float64{10, 490}, false, "throughput, ops/s", "0.5"},
		{"throughput", []float64{10, 510}, true, "throughput, ops/s", "0.5"},
		{"throughput", []float64{0, 510}, false, "throughput, ops/s", "0.5"},
		{"batch_mean", []float64{1, 2}, false, "commands per batch", "0.5"},
		{"p99", []float64{1, 2}, true, "p99 latency", "0.5 ns"},
		{"outage", []float64{1, 2}, false, "longest time without an answer", "500 ms"},
	} {
		column, _ := suite.ColumnOf(c.column)
		a := measuredAxis(column, c.values, false)
		if a.log != c.log || a.label != c.label || a.spell(0.5) != c.spelt {
			t.Errorf("%s of %v: logarithmic %v, label %q, 0.5 is %q", c.column, c.values, a.log, a.label, a.spell(0.5))
		}
	}
}

// TestFiguresFit wants the figure above the highest bar inside its panel, level or upright, on both scales.
func TestFiguresFit(t *testing.T) {
	upright := false
	for _, name := range []string{"bars", "dots"} {
		d := collect(t, parse(t, everything), name)
		p, err := d.bars(d.Facets[0])
		if err != nil {
			t.Fatal(err)
		}
		highest := 0.0
		for _, s := range d.Spots {
			if s.Facet == d.Facets[0] {
				highest = max(highest, greatest(extent([]Spot{s}, 0)))
			}
		}
		style := d.figureStyle(d.scale())
		upright = upright || style.Rotation != 0
		room := vg.Length(1-p.Y.Norm(highest)) * (d.panelSize().Y - vg.Points(axisHeight))
		if style.height > room {
			t.Errorf("%s: %.0f points of room for a figure of %.0f", name, room.Points(), style.height.Points())
		}
	}
	if !upright {
		t.Error("no upright figures to test")
	}
}

// TestLongTitlesFit wants all of a title in the picture, however long it is.
func TestLongTitlesFit(t *testing.T) {
	d := collect(t, parse(t, everything), "bars")
	d.Graph.Title = strings.Repeat("Throughput of everything that there is, beside all of what it is made of ", 4)
	var svg bytes.Buffer
	if err := d.Write(&svg, "svg"); err != nil {
		t.Fatal(err)
	}
	said := 0
	for _, text := range regexp.MustCompile(`<text x="([0-9.]+)"[^>]* textLength="([0-9.]+)[^>]*>([^<]*)<`).FindAllStringSubmatch(svg.String(), -1) {
		x, errX := strconv.ParseFloat(text[1], 64)
		length, errLength := strconv.ParseFloat(text[2], 64)
		if errX != nil || errLength != nil || x+length > width.Points() {
			t.Errorf("%q begins at %s and is %s long, the picture %.0f", text[3], text[1], text[2], width.Points())
		}
		said += strings.Count(text[3], "made")
	}
	if said != 4 {
		t.Errorf("%d of 4 parts of the title are in the picture", said)
	}
}

// TestContrast wants the letters on every tile readable: 4.5 to 1 is what the guidelines for the web ask for.
func TestContrast(t *testing.T) {
	for share := 0.0; share <= 1; share += 0.01 {
		ground := shade(share)
		ink := 0.0
		if r, _, _, _ := inkOn(ground).RGBA(); r > 0 {
			ink = 1
		}
		light, dark := max(ink, luminance(ground)), min(ink, luminance(ground))
		if ratio := (light + 0.05) / (dark + 0.05); ratio < 4.5 {
			t.Errorf("at %.2f: %.1f to 1", share, ratio)
		}
	}
}

// TestNotesAreReadable wants what is written beside a spot to stand out from the paper, in the colour of every series.
func TestNotesAreReadable(t *testing.T) {
	for i := range palette {
		if ratio := contrast(readable(seriesColour(i)), color.RGBA{R: 255, G: 255, B: 255, A: 255}); ratio < 4.5 {
			t.Errorf("series %d: %.1f to 1", i, ratio)
		}
	}
}

// TestSideBySide wants the spots of all series apart where no line tells them apart, and in one place where one does.
func TestSideBySide(t *testing.T) {
	a := knobAxis{values: []string{"64", "adaptive"}, names: true}
	for series := range 3 {
		if got := a.aside("64", series, 4); got != 0 {
			t.Errorf("series %d at a number: %g aside", series, got)
		}
		if near := a.aside("adaptive", series+1, 4) - a.aside("adaptive", series, 4); near < 0.15 {
			t.Errorf("series %d and %d at a name: only %g apart", series, series+1, near)
		}
	}
	if got := a.aside("adaptive", 5, 6); got >= 0.5 {
		t.Errorf("the last of six: %g aside, in the place of the next value", got)
	}
}

// TestCaptionTellsAdjustments wants a picture to say where what holds in all cells does not.
func TestCaptionTellsAdjustments(t *testing.T) {
	s := parse(t, strings.Replace(loaded, "repeats:", "adjust:\n  - {when: {batch: none}, set: {window: 64}}\n  - {when: {batch: bytes:1}, set: {window: 9}}\nrepeats:", 1))
	caption := strings.Join(collect(t, s, "knee").caption(), " ")
	if !strings.Contains(caption, "Suite loaded, all: conns=4 window=1024; where batch=none: window=64. ") {
		t.Errorf("the caption does not say it: %s", caption)
	}
}

// TestNumbersAreInOrder wants places that are numbers by size, in whatever order a suite names them, and lines to lead from one to the
// next.
func TestNumbersAreInOrder(t *testing.T) {
	d := collect(t, parse(t, strings.Replace(everything, `pipeline: [1, 4, 16, 64, adaptive]`, `pipeline: [16, 1, 64, 4]`, 1)), "line")
	if got := strings.Join(d.Xs, " "); got != "1 4 16 64" {
		t.Errorf("places: %s", got)
	}
	var along []string
	for _, s := range d.of("0s", "none") {
		along = append(along, s.X)
	}
	if got := strings.Join(along, " "); got != "1 4 16 64" {
		t.Errorf("along a line: %s", got)
	}
}

// TestNotesFitTiles wants the notes of a heat map no wider than their tiles, on two lines at most where there is one thing to say.
func TestNotesFitTiles(t *testing.T) {
	room := vg.Points(26)
	for note, lines := range map[string]int{"± 14 %": 1, "64 in flight": 2, "1024 in flight": 2, "4 of 6": 1, "4 of 6, 64 in flight": 3, "held in 0 of 6": 2} {
		style, text := fitNote(textStyle(8, false, draw.XCenter, draw.YTop), note, 7.5, room)
		if style.Width(text) > room || strings.Count(text, "\n")+1 > lines {
			t.Errorf("%q on %.0f of %.0f points", text, style.Width(text).Points(), room.Points())
		}
	}
}

// TestOutageNamesFit wants it said within the panel how long nothing was answered, wherever that was, and however narrow the panel is.
func TestOutageNamesFit(t *testing.T) {
	placed := regexp.MustCompile(`<text x="([-\d.]+)"[^>]*textLength="([\d.]+)"[^>]*>(?:nothing answered|for )`)
	for _, outage := range []suite.Outage{{From: 0, To: 1}, {From: 7, To: 8}, {From: 3, To: 5}, {From: 0.5, To: 7.5}} {
		for _, wide := range []vg.Length{vg.Points(130), vg.Points(400)} {
			var svg bytes.Buffer
			err := writePicture(&svg, "svg", wide, vg.Points(100), func(c draw.Canvas) {
				p := newPlot("", "", "")
				p.X.Min, p.X.Max, p.Y.Max = 0, 8, 1
				p.HideAxes()
				p.Add(outageNames{outage})
				p.Draw(c)
			})
			if err != nil {
				t.Fatal(err)
			}
			words := placed.FindAllStringSubmatch(svg.String(), -1)
			for _, word := range words {
				x, errX := strconv.ParseFloat(word[1], 64)
				length, errLength := strconv.ParseFloat(word[2], 64)
				if errX != nil || errLength != nil || x < 0 || x+length > wide.Points()+0.5 {
					t.Errorf("%v in %.0f points: from %v on, %v long", outage, wide.Points(), x, length)
				}
			}
			if len(words) == 0 {
				t.Errorf("%v in %.0f points: nothing is said", outage, wide.Points())
			}
		}
	}
}

// TestOutageNamesLieApart wants what is said of outages that are close to each other to be above one another.
func TestOutageNamesLieApart(t *testing.T) {
	placed := regexp.MustCompile(`<text x="([-\d.]+)" y="([-\d.]+)"[^>]*textLength="([\d.]+)"[^>]*>(nothing answered|for )`)
	var svg bytes.Buffer
	err := writePicture(&svg, "svg", vg.Points(130), vg.Points(200), func(c draw.Canvas) {
		p := newPlot("", "", "")
		p.X.Min, p.X.Max, p.Y.Max = 0, 8, 1
		p.HideAxes()
		p.Add(outageNames{{From: 1, To: 1.05}, {From: 2, To: 3}, {From: 3.2, To: 3.25}})
		p.Draw(c)
	})
	if err != nil {
		t.Fatal(err)
	}
	said, lines := 0, [][3]float64(nil) // x, y, length
	for _, word := range placed.FindAllStringSubmatch(svg.String(), -1) {
		var line [3]float64
		for i := range line {
			if line[i], err = strconv.ParseFloat(word[1+i], 64); err != nil {
				t.Fatal(err)
			}
		}
		if word[4] != "for " {
			said++
		}
		for _, other := range lines {
			if line[0] < other[0]+other[2] && other[0] < line[0]+line[2] && math.Abs(line[1]-other[1]) < 8 {
				t.Errorf("lines at %v and %v lie over each other", line, other)
			}
		}
		lines = append(lines, line)
	}
	if said != 3 {
		t.Errorf("said %d times of three outages: %s", said, svg.String())
	}
}

// TestPeaksLeaveTimeline wants an axis that shows the outage, and the caption to tell how high the peaks after it are.
func TestPeaksLeaveTimeline(t *testing.T) {
	d := collect(t, parse(t, everything), "course")
	p, err := d.course(d.Facets[0])
	if err != nil {
		t.Fatal(err)
	}
	if p.Y.Max > 160_000 {
		t.Errorf("usually 50k is answered, and the axis goes to %g", p.Y.Max)
	}
	if text := d.reading(); !strings.Contains(text, "reach up to 180k ops/s") {
		t.Errorf("the caption hides the peaks: %s", text)
	}
}

// TestKnobUnits wants units of knobs alone.
func TestKnobUnits(t *testing.T) {
	for knob := range knobUnits {
		if suite.OwnerOf(knob) == 0 {
			t.Errorf("%s is no knob", knob)
		}
	}
}

// TestOutagesAreSteps wants an outage drawn where it was: the line falls at once, no earlier and down to nothing, and the
// picture says for how long nothing was answered.
func TestOutagesAreSteps(t *testing.T) {
	d := collect(t, parse(t, everything), "course")
	run := d.Courses[0].Run
	outages := suite.Outages(run.Timeline)
	if len(outages) != 1 || outages[0].String() != "nothing answered for 0.6 s" {
		t.Fatalf("%v", outages)
	}
	line := steps(run.Timeline, spanOfPoint, opsPerS, false)[0]
	for _, p := range line {
		if out := p.X > outages[0].From && p.X < outages[0].To; out && p.Y != 0 {
			t.Errorf("at %g s of an outage from %g to %g: %g", p.X, outages[0].From, outages[0].To, p.Y)
		}
	}
	for i := 1; i < len(line); i += 2 {
		if line[i].Y != line[i-1].Y {
			t.Fatalf("the line slopes within an interval, at %g s", line[i].X)
		}
	}
	var svg bytes.Buffer
	if err := d.Write(&svg, "svg"); err != nil || !strings.Contains(textOf(t, svg.Bytes()), "nothing answered for 0.6 s") {
		t.Errorf("the picture does not say it (%v)", err)
	}
}

// TestCalibrationOfSomethingElse wants a picture to say that its bound is of another commit, host or number of processors than
// its runs, and to say nothing if it is not.
func TestCalibrationOfSomethingElse(t *testing.T) {
	s := parse(t, everything)
	runs, m := charttest.Runs(s, s.Plan(1, 1)), charttest.Manifest(s, 1)
	for want, change := range map[string]func(*model.Calibration){
		"": func(*model.Calibration) {},
		"another commit abcdef, and the runs are of 0123456789ab": func(c *model.Calibration) { c.Commit = "abcdef" },
		"another commit unknown":                                  func(c *model.Calibration) { c.Commit = "" },
		"another host elsewhere with 2":                           func(c *model.Calibration) { c.Host = "elsewhere" },
		"another host synthetic with 64 processors":               func(c *model.Calibration) { c.CPUs = 64 },
	} {
		c := charttest.Calibration()
		c.Commit = m.Commit
		change(c)
		d, err := Collect(s, s.Graphs[0], m, runs, c)
		if err != nil {
			t.Fatal(err)
		}
		if text := d.reading(); !strings.Contains(text, want) || strings.Contains(text, "another") != (want != "") {
			t.Errorf("the caption is %q, want %q", text, want)
		}
	}
}

// TestOtherInFlightIsSaid wants a picture to say which of its spots had fewer commands in flight than the rest, unless an axis
// says so, and nothing of open loops, which have no such number.
func TestOtherInFlightIsSaid(t *testing.T) {
	adjusted := strings.Replace(everything, "repeats:", "adjust:\n  - {when: {batch: none}, set: {window: 64}}\nrepeats:", 1)
	for _, name := range []string{"line", "map", "bars"} {
		d := collect(t, parse(t, adjusted), name)
		for i := range d.Spots {
			s := &d.Spots[i]
			if none := s.Cell.Get("batch") == "none"; strings.Contains(d.Note(s), "256 in flight") != none || strings.Contains(d.Note(s), "4096 in flight") {
				t.Errorf("%s: %s: %q", name, s.Cell, d.Note(s))
			}
		}
		var svg bytes.Buffer
		if err := d.Write(&svg, "svg"); err != nil || !strings.Contains(textOf(t, svg.Bytes()), "256 in flight") {
			t.Errorf("%s does not say it (%v)", name, err)
		}
	}
	byWindow := collect(t, parse(t, strings.NewReplacer("pipeline: [1, 4, 16, 64, adaptive]", "window: [16, 64]", "x: pipeline", "x: window",
		", pipeline: 1", "", "series: pipeline", "series: window", "window: 1024", "keys: 5").Replace(everything)), "line")
	for _, d := range []*Data{byWindow, collect(t, parse(t, loaded), "knee"), collect(t, parse(t, everything), "line")} {
		for i := range d.Spots {
			if note := d.Note(&d.Spots[i]); strings.Contains(note, "in flight") {
				t.Errorf("%s: %q", d.Spots[i].Cell, note)
			}
		}
	}
}
