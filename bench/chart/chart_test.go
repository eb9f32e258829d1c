package chart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"paxosbench/bench/chart/charttest"
	"paxosbench/bench/suite"
	"paxosbench/bench/suites"
)

// everything is a suite with a graph of every kind.
const everything = `
name: everything
title: Everything
question: Is every kind of graph drawn?
axes:
  link-delay: [0s, 5ms]
  batch: [none, "count:64", adaptive]
  pipeline: [1, 4, 16, 64, adaptive]
fixed: {conns: 4, window: 1024}
repeats: 3
warmup: 1s
duration: 1s
graphs:
  - {name: line, title: Throughput by depth, kind: line, x: pipeline, y: throughput, series: batch, facet: link-delay, model: true}
  - {name: single, title: Latency by depth, kind: line, x: pipeline, y: p99, series: batch, where: {link-delay: 0s}}
  - {name: map, title: Throughput, kind: heatmap, x: pipeline, y: batch, value: throughput, facet: link-delay, model: true}
  - {name: bars, title: CPU of the leader, kind: bars, x: batch, y: cpu_leader, series: pipeline, facet: link-delay}
  - {name: dots, title: Latency, kind: bars, x: batch, y: p99, series: pipeline, where: {link-delay: 0s}}
  - {name: hockey, title: Latency by throughput, kind: hockey, x: throughput, y: p50, series: batch, where: {link-delay: 0s}}
  - {name: course, title: Over time, kind: timeline, facet: batch, where: {link-delay: 0s, pipeline: 1}}
`

const loaded = `
name: loaded
title: Latency under load
question: Where is the knee?
axes:
  batch: [none, "count:64", adaptive]
  load: [5%, 25%, 50%, 70%, 85%, 95%, 105%]
fixed: {conns: 4, window: 1024}
repeats: 6
warmup: 1s
duration: 1s
graphs:
  - {name: knee, title: Median latency by throughput, kind: hockey, x: throughput, y: p50, series: batch}
`

func parse(t *testing.T, text string) *suite.Suite {
	t.Helper()
	s, err := suite.Parse("test", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func collect(t *testing.T, s *suite.Suite, name string) *Data {
	t.Helper()
	i := slices.IndexFunc(s.Graphs, func(g suite.Graph) bool { return g.Name == name })
	runs := charttest.Runs(s, s.Plan(1, s.Repeats))
	d, err := Collect(s, s.Graphs[i], charttest.Manifest(s, 1), runs, charttest.Calibration())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestEveryKind draws every kind of graph in both formats.
func TestEveryKind(t *testing.T) {
	for _, text := range []string{everything, loaded} {
		s := parse(t, text)
		for _, g := range s.Graphs {
			d := collect(t, s, g.Name)
			var svg, picture bytes.Buffer
			if err := errors.Join(d.Write(&svg, "svg"), d.Write(&picture, "png")); err != nil {
				t.Errorf("%s: %v", g.Name, err)
				continue
			}
			text := textOf(t, svg.Bytes())
			for _, want := range []string{g.Title, "Made-up Processor", "0123456789ab with changes", "2026-11-24", "conns=4"} {
				if !strings.Contains(text, want) {
					t.Errorf("%s: no %q in the picture", g.Name, want)
				}
			}
			if _, err := png.Decode(bytes.NewReader(picture.Bytes())); err != nil {
				t.Errorf("%s: %v", g.Name, err)
			}
			keep(t, g.Name, d)
		}
	}
}

// TestShippedSuites draws the graphs of every suite that ships, from made-up runs.
func TestShippedSuites(t *testing.T) {
	for _, name := range suites.Names() {
		s, _, err := suites.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range s.Graphs {
			d := collect(t, s, g.Name)
			if err := d.Write(io.Discard, "svg"); err != nil {
				t.Errorf("suite %s: %v", name, err)
			}
			keep(t, name+"-"+g.Name, d)
		}
	}
}

// keep leaves a picture to be looked at, if PAXOSBENCH_PICTURES names a directory.
func keep(t *testing.T, name string, d *Data) {
	t.Helper()
	dir := os.Getenv("PAXOSBENCH_PICTURES")
	if dir == "" {
		return
	}
	file, err := os.Create(filepath.Join(dir, name+".png"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Write(file, "png"), file.Close()); err != nil {
		t.Fatal(err)
	}
}

// textOf returns the words of an SVG.
func textOf(t *testing.T, svg []byte) string {
	t.Helper()
	var words strings.Builder
	dec := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return words.String()
		}
		if err != nil {
			t.Fatalf("not XML: %v", err)
		}
		if data, ok := token.(xml.CharData); ok {
			words.Write(data)
		}
	}
}

func TestCollect(t *testing.T) {
	d := collect(t, parse(t, everything), "line")
	if !slices.Equal(d.Facets, []string{"0s", "5ms"}) || !slices.Equal(d.Series, []string{"none", "count:64", "adaptive"}) ||
		!slices.Equal(d.Xs, []string{"1", "4", "16", "64", "adaptive"}) || len(d.Spots)+d.Missing != 30 {
		t.Errorf("facets %v, series %v, places %v, %d spots", d.Facets, d.Series, d.Xs, len(d.Spots))
	}
	for _, s := range d.Spots {
		if s.Bound <= 0 || s.Y.Median > s.Bound || s.Y.Lo > s.Y.Median || s.Y.Median > s.Y.Hi {
			t.Errorf("%s: %+v", s.Cell, s)
		}
	}
}

// TestHollow wants points past saturation marked: their runs are invalid or answered less than was offered.
func TestHollow(t *testing.T) {
	for _, s := range collect(t, parse(t, loaded), "knee").Spots {
		if past := s.Cell.Get("load") == "105%"; past != (s.Fill() == Hollow) {
			t.Errorf("%s: %s", s.Cell, s.HeldText())
		}
	}
}

// TestNoRunIsLeftOut wants runs that failed, are invalid or did not keep up to count as worse than any figure, the mark
// to say how many held, and every run that measured something to be a point.
func TestNoRunIsLeftOut(t *testing.T) {
	s := parse(t, strings.Replace(everything, "repeats: 3", "repeats: 4", 1))
	runs := charttest.Runs(s, s.Plan(1, s.Repeats))
	cells := s.Cells()
	for i := range runs {
		r := &runs[i]
		r.Status = suite.StatusValid
		if r.Result == nil {
			continue
		}
		switch r.Cell.String() {
		case cells[0].String():
			if r.Repeat == 1 {
				r.Status = suite.StatusInvalid
			}
		case cells[1].String():
			if r.Repeat < 4 {
				r.Status = suite.StatusInvalid
			}
		case cells[2].String():
			r.Status, r.Result = suite.StatusFailed, nil
		case cells[3].String():
			r.Offered = 2 * r.Result.ThroughputOpsPerS // of all four, half is answered
		}
	}
	d, err := Collect(s, s.Graphs[0], suite.Manifest{}, runs, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		held int
		fill Fill
	}{{3, Half}, {1, Hollow}, {}, {0, Hollow}, {4, Full}} {
		at := slices.IndexFunc(d.Spots, func(s Spot) bool { return s.Cell.String() == cells[i].String() })
		if i == 2 {
			if at >= 0 || d.Missing == 0 {
				t.Errorf("four failed runs are on the picture, or are not said to be missing")
			}
			continue
		}
		spot := &d.Spots[at]
		if spot.Held != want.held || spot.Fill() != want.fill || len(spot.Runs) != 4 || spot.Y.N != 4 {
			t.Errorf("%s: %s, fill %d: %+v", spot.Cell, spot.HeldText(), spot.Fill(), spot)
		}
		if spot.Y.IsFigure() == (want.fill == Hollow) || math.IsNaN(spot.Figure) || math.IsInf(spot.Figure, 0) {
			t.Errorf("%s: median %g, mark at %g", spot.Cell, spot.Y.Median, spot.Figure)
		}
	}
	if d.anyBound() {
		t.Error("a bound without a calibration")
	}
}

// TestPublished draws measurements that were published as "2.92 M held, p99 75.6 ms": that was the one of six runs that was
// not invalid. Over all six there is no such figure, and the picture says so.
func TestPublished(t *testing.T) {
	dir, err := suite.Open(filepath.Join("testdata", "latency-throughput"))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(dir.Suite.Graphs, func(g suite.Graph) bool { return g.Name == "p99" })
	d, err := Collect(dir.Suite, dir.Suite.Graphs[i], dir.Manifest, dir.Runs(), nil)
	if err != nil {
		t.Fatal(err)
	}
	of := func(batch, load string) *Spot {
		return &d.Spots[slices.IndexFunc(d.Spots, func(s Spot) bool { return s.Cell.Get("batch") == batch && s.Cell.Get("load") == load })]
	}
	lucky := of("adaptive", "95%")
	if lucky.HeldText() != "held in 1 of 6" || lucky.Fill() != Hollow || lucky.Y.IsFigure() || math.Abs(lucky.Figure/127.3e6-1) > 0.001 {
		t.Errorf("%s, fill %d, median %g, mark at %g", lucky.HeldText(), lucky.Fill(), lucky.Y.Median, lucky.Figure)
	}
	if some := of("adaptive", "25%"); some.Held != 4 || some.Fill() != Half || !math.IsInf(some.Y.Hi, 1) {
		t.Errorf("%s, fill %d, interval %g to %g", some.HeldText(), some.Fill(), some.Y.Lo, some.Y.Hi)
	}
	if all := of("none", "95%"); all.Held != 6 || all.Fill() != Full {
		t.Errorf("%s, fill %d", all.HeldText(), all.Fill())
	}
	runs := 0
	for _, s := range d.Spots {
		runs += len(s.Runs)
	}
	if runs != 192 {
		t.Errorf("%d runs are on the picture, want 192", runs)
	}
	var svg bytes.Buffer
	if err := d.Write(&svg, "svg"); err != nil {
		t.Fatal(err)
	}
	words := textOf(t, svg.Bytes())
	for _, want := range []string{"held in 1 of 6", "held in 0 of 6", "4 of 6", "counts as worse than any figure"} {
		if !strings.Contains(words, want) {
			t.Errorf("no %q in the picture", want)
		}
	}
	keep(t, "published", d)
}

func TestTwoCellsOnOneSpot(t *testing.T) {
	s := parse(t, everything)
	g := s.Graphs[0]
	g.Facet = ""
	if _, err := Collect(s, g, suite.Manifest{}, charttest.Runs(s, s.Plan(1, 1)), nil); err == nil {
		t.Error("different link delays were thrown together")
	}
}

func TestEmpty(t *testing.T) {
	s := parse(t, everything)
	for _, g := range s.Graphs {
		d, err := Collect(s, g, suite.Manifest{}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Write(io.Discard, "svg"); !errors.Is(err, ErrEmpty) || d.Missing == 0 {
			t.Errorf("%s: %v, %d missing", g.Name, err, d.Missing)
		}
	}
}

func TestWrap(t *testing.T) {
	for text, want := range map[string]string{
		"no batching, no pipeline": "no batching,\nno pipeline",
		"put:0.5,get:0.5":          "put:0.5,\nget:0.5",
		"adaptive":                 "adaptive",
		"none, noop, 4 x 4096":     "none, noop,\n4 x 4096",
		"fsync, 4 x 16384":         "fsync,\n4 x 16384",
		"batching and pipeline":    "batching and\npipeline",
		"dragonboat-single":        "dragonboat-\nsingle",
		"":                         "",
	} {
		if got := wrap(text, 14); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
