package chart

import (
	"bytes"
	"image/png"
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

func TestSpelling(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", math.Copysign(0, -1): "0", 0.25: "0.25", 12: "12", 999: "999", 1234: "1.23k", 25e5: "2.5M", 7e9: "7G", 5e13: "50000G",
	} {
		if got := SI(v); got != want {
			t.Errorf("SI(%g) = %s, want %s", v, got, want)
		}
	}
	for ns, want := range map[float64]string{math.Copysign(0, -1): "0", 5: "5 ns", 1500: "1.5 µs", 2_500_000: "2.5 ms", 10e9: "10 s", 3600e9: "3600 s"} {
		if got := Time(ns); got != want {
			t.Errorf("Time(%g) = %s, want %s", ns, got, want)
		}
	}
}

// TestEvenTicks wants a handful of round labels on any axis, zero among them if it is on the axis.
func TestEvenTicks(t *testing.T) {
	for high := 1e-3; high < 1e9; high *= 1.37 {
		ticks := evenTicks{Spell: SI}.Ticks(0, high)
		if len(ticks) < 4 || len(ticks) > 10 || ticks[0].Label != "0" || ticks[len(ticks)-1].Value > high*1.0001 {
			t.Errorf("to %g: %v", high, ticks)
		}
	}
}

func TestLogTicks(t *testing.T) {
	labels := func(low, high float64) (labels []string) {
		for _, tick := range (logTicks{Spell: SI}).Ticks(low, high) {
			if tick.Label != "" {
				labels = append(labels, tick.Label)
			}
		}
		return labels
	}
	if got := labels(1, 100); !slices.Equal(got, []string{"1", "2", "5", "10", "20", "50", "100"}) {
		t.Errorf("two powers of ten: %v", got)
	}
	if got := labels(1.3, 8.1); !slices.Equal(got, []string{"2", "3", "5", "7"}) {
		t.Errorf("less than one power of ten: %v", got)
	}
	if got := labels(0.5, 2e4); !slices.Equal(got, []string{"1", "10", "100", "1k", "10k"}) {
		t.Errorf("nearly five: %v", got)
	}
}

// TestWrite draws a plot with a marker of each kind, and wants the formats to be what they claim to be.
func TestWrite(t *testing.T) {
	paint := func(c draw.Canvas) {
		newPlot("title", "x", "y").Draw(c)
		for i := range 3 * len(shapes) {
			c.DrawGlyph(draw.GlyphStyle{Color: seriesColour(i), Radius: 3, Shape: seriesMarker(i, Fill(i%3))}, vg.Point{X: vg.Length(10 + 10*i), Y: 20})
		}
		c.FillText(draw.TextStyle{Font: typeface(9, true), Handler: plot.DefaultTextHandler}, vg.Point{X: 10, Y: 10}, "bold")
	}
	var svg, picture bytes.Buffer
	if err := writePicture(&svg, "svg", 200, 100, paint); err != nil {
		t.Fatal(err)
	}
	if text := svg.String(); !strings.Contains(text, "sans-serif;") || strings.Contains(text, "family:Liberation Sans;") || !strings.Contains(text, ">title<") {
		t.Errorf("the SVG lacks fallback typefaces or text:\n%s", text)
	}
	for word := range strings.SplitSeq(svg.String(), "<text ") {
		if tag, _, _ := strings.Cut(word, ">"); strings.HasPrefix(word, "x=") && !strings.Contains(tag, ` textLength="`) {
			t.Errorf("a text may become as wide as a viewer likes: %s", word)
		}
	}
	if err := writePicture(&picture, "png", 200, 100, paint); err != nil {
		t.Fatal(err)
	}
	decoded, err := png.Decode(&picture)
	if err != nil || decoded.Bounds().Dx() != 200*dotsPerInch/72 {
		t.Errorf("%v, %v", decoded.Bounds(), err)
	}
	if err := writePicture(&picture, "gif", 200, 100, paint); err == nil {
		t.Error("a format that is not there")
	}
}

// TestSeriesDiffer wants neighbours apart in colour and in shape, and those of one colour in shape.
func TestSeriesDiffer(t *testing.T) {
	for i := range len(palette) {
		if seriesColour(i) == seriesColour(i+1) || seriesMarker(i, Full) == seriesMarker(i+1, Full) || seriesMarker(i, Hollow) == seriesMarker(i, Full) || seriesMarker(i, Half) == seriesMarker(i, Full) {
			t.Errorf("series %d and %d look the same", i, i+1)
		}
		if again := i + len(palette); seriesMarker(i, Full) == seriesMarker(again, Full) {
			t.Errorf("series %d and %d, of one colour, have one shape", i, again)
		}
	}
}
