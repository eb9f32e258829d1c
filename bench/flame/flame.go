// Package flame draws flame graphs of pprof profiles as SVG, with nothing but Go.
//
// Callers stand above what they call; a frame is as wide as its share of the whole, and siblings are in the order of
// their names, not of time. The picture is the same for the same profile, to the byte.
package flame

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"github.com/dustin/go-humanize"
)

// Measures in pixels.
const (
	width      = 1400
	rowHeight  = 17
	margin     = 12
	headHeight = 52
	charWidth  = 6.6 // of the monospaced font at its size
	leastWidth = 0.5 // what is narrower is left out
)

// Write draws a profile. Of the values that its samples have, the default one counts: CPU time, bytes in use, time
// blocked. The profile is not changed.
func Write(w io.Writer, p *profile.Profile, title string) error {
	index, err := p.SampleIndexByName("")
	if err != nil {
		return fmt.Errorf("flame graph: %w", err)
	}
	root := newTree(p, index)
	if root.value <= 0 {
		return errors.New("flame graph: the profile holds no samples: profile for longer, or under load")
	}
	d := &drawing{w: bufio.NewWriter(w), unit: p.SampleType[index].Unit, total: root.value}
	d.least = int64(float64(root.value) * leastWidth / (width - 2*margin))
	d.head(title, p.SampleType[index].Type, headHeight+root.depth(d.least)*rowHeight+margin)
	d.frame(root, margin, headHeight)
	d.printf("<script><![CDATA[\n%s]]></script>\n</svg>\n", script)
	return d.w.Flush()
}

// script lets a browser enlarge frames and find them. Where none runs the picture is whole without it.
//
//go:embed flame.js
var script string

// Folded writes a profile as other programs for flame graphs read it (speedscope, flamegraph.pl): a line for every stack,
// from the outermost caller on, with the value that is the stack's own.
func Folded(w io.Writer, p *profile.Profile) error {
	index, err := p.SampleIndexByName("")
	if err != nil {
		return fmt.Errorf("flame graph: %w", err)
	}
	out := bufio.NewWriter(w)
	var fold func(f *frame, above string)
	fold = func(f *frame, above string) {
		stack := above + strings.NewReplacer(";", ":", "\n", " ").Replace(f.name)
		if f.self > 0 {
			fmt.Fprintf(out, "%s %d\n", stack, f.self)
		}
		for _, c := range f.children {
			fold(c, stack+";")
		}
	}
	for _, c := range newTree(p, index).children {
		fold(c, "")
	}
	return out.Flush()
}

// drawing is a picture on its way out. Write errors are kept by the buffer until it is flushed.
type drawing struct {
	w     *bufio.Writer
	unit  string
	total int64
	least int64 // value of the narrowest frame that is drawn
}

func (d *drawing) printf(format string, args ...any) { fmt.Fprintf(d.w, format, args...) }

const style = `text{font:11px ui-monospace,Menlo,Consolas,monospace;fill:#111;pointer-events:none}` +
	`text.title{font:600 15px system-ui,sans-serif}text.note{font:12px system-ui,sans-serif;fill:#555}` +
	`rect{stroke:#fff;stroke-width:.6}g:hover>rect{stroke:#111;stroke-width:1.2}g.f{cursor:pointer}g.found>rect{fill:#e6007e}g.faded{opacity:.35}g.gone{display:none}`

func (d *drawing) head(title, what string, height int) {
	d.printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d">`+"\n", width, height, width, height)
	d.printf("<title>%s</title>\n<style>%s</style>\n", escape(title), style)
	d.printf(`<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	d.printf(`<text class="title" x="%d" y="22">%s</text>`+"\n", margin, escape(title))
	note := fmt.Sprintf("%s %s in all. A frame is as wide as its share; callers above, callees below; hover for figures, click to enlarge, Ctrl-F to search.", d.amount(d.total), what)
	d.printf(`<text class="note" x="%d" y="41">%s</text>`+"\n", margin, escape(note))
	x := width - margin
	for _, o := range origins {
		x -= 26 + int(float64(len(o.name))*charWidth)
		d.printf(`<rect x="%d" y="12" width="12" height="12" fill="%s"/><text class="note" x="%d" y="22">%s</text>`+"\n",
			x, o.shade(0), x+16, escape(o.name))
	}
}

// frame draws a frame at a place, and below it what it calls, side by side.
func (d *drawing) frame(f *frame, x float64, y int) {
	w := float64(f.value) / float64(d.total) * (width - 2*margin)
	d.printf(`<g class="f"><title>%s</title><rect x="%.2f" y="%d" width="%.2f" height="%d" fill="%s"/>`,
		escape(d.describe(f)), x, y, w, rowHeight, colour(f.name))
	if label := fit(shortName(f.name), w); label != "" {
		d.printf(`<text x="%.2f" y="%d">%s</text>`, x+3, y+12, escape(label))
	}
	d.printf("</g>\n")
	for _, c := range f.children {
		if c.value >= d.least {
			d.frame(c, x, y+rowHeight)
		}
		x += float64(c.value) / float64(d.total) * (width - 2*margin)
	}
}

func (d *drawing) describe(f *frame) string {
	text := fmt.Sprintf("%s\n%s, %.2f %% of all", f.name, d.amount(f.value), d.share(f.value))
	if f.self > 0 {
		text += fmt.Sprintf("; itself %s, %.2f %%", d.amount(f.self), d.share(f.self))
	}
	return text
}

func (d *drawing) share(value int64) float64 { return 100 * float64(value) / float64(d.total) }

// amount spells a value in the profile's unit.
func (d *drawing) amount(value int64) string {
	switch d.unit {
	case "nanoseconds":
		return time.Duration(value).Round(10 * time.Microsecond).String()
	case "bytes":
		return humanize.IBytes(uint64(max(value, 0)))
	}
	return humanize.Comma(value)
}

// fit cuts a label to a width, or leaves it out where three letters would not fit.
func fit(label string, w float64) string {
	room := int((w - 6) / charWidth)
	switch {
	case room < 3:
		return ""
	case len(label) <= room:
		return label
	}
	return strings.ToValidUTF8(label[:room-1], "") + "…"
}

// shortName leaves out the path of a package but for its last element.
func shortName(function string) string {
	brackets := strings.IndexByte(function, '[')
	if brackets < 0 {
		brackets = len(function)
	}
	return function[strings.LastIndexByte(function[:brackets], '/')+1:]
}

var escapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

func escape(text string) string { return escapes.Replace(strings.ToValidUTF8(text, "?")) }
