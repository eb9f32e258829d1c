package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"strings"

	"github.com/dustin/go-humanize"

	"paxosbench/bench/chart"
	"paxosbench/bench/model"
	"paxosbench/bench/record"
	"paxosbench/bench/suite"
	"paxosbench/bench/suites"
)

// Names of what WritePage leaves in a results directory.
const (
	ReportFile    = "report.html"
	BenchmarkFile = "benchmark.txt"
	GraphsDir     = "graphs"
)

// UndrawnError is the error of a report that is whole but for graphs that cannot be drawn, whatever runs there will be.
type UndrawnError struct{ Problems []string }

// Error names the graphs, each with the reason.
func (e *UndrawnError) Error() string { return "no picture: " + strings.Join(e.Problems, "; ") }

// WritePage renders the runs that a results directory has so far, over what an earlier call has left there: graphs, a report in
// one file that needs nothing else, and the figures in Go's benchmark format. A graph that cannot be drawn does not keep the
// others from being so: the report says why in its place, and the error is an UndrawnError. calibration has the constants of
// the model; nil: what model.Find finds, or no bounds.
func WritePage(dir *suite.Dir, calibration *model.Calibration) error {
	if calibration == nil {
		var err error
		if calibration, err = model.Find(dir.Path); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(dir.Path, GraphsDir), 0o755); err != nil {
		return err
	}
	p := &page{Dir: dir, Calibration: calibration}
	for _, g := range dir.Suite.Graphs {
		f, err := newFigure(dir, g, calibration)
		if err != nil {
			return err
		}
		p.Figures = append(p.Figures, f)
	}
	p.Adaptive = adaptiveTables(dir.Suite, dir.Runs())
	var out bytes.Buffer
	if err := layout.Execute(&out, p); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := record.SaveFile(filepath.Join(dir.Path, ReportFile), out.Bytes()); err != nil {
		return err
	}
	benchmark, err := benchmarkText(dir)
	if err != nil {
		return err
	}
	if err := record.SaveFile(filepath.Join(dir.Path, BenchmarkFile), benchmark); err != nil {
		return err
	}
	return p.undrawn()
}

// undrawn is the error of a page that lacks pictures for other reasons than that there are no runs yet.
func (p *page) undrawn() error {
	var problems []string
	for _, f := range p.Figures {
		if f.Problem != "" && f.Problem != chart.ErrEmpty.Error() {
			problems = append(problems, f.Problem)
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return &UndrawnError{problems}
}

var (
	//go:embed report.tmpl
	layoutText string
	//go:embed report.css
	styleText string
	//go:embed report.js
	scriptText string
	//go:embed chart.js
	chartText string

	//go:embed uplot/uPlot.iife.min.js
	uPlotText string
	//go:embed uplot/uPlot.min.css
	uPlotStyle string
	//go:embed uplot/LICENSE
	uPlotLicense string
)

var layout = template.Must(template.New("report").Parse(layoutText))

// page is what the layout is filled with.
type page struct {
	Dir         *suite.Dir
	Calibration *model.Calibration
	Figures     []figure
	Adaptive    []table
}

// Style returns the style sheet.
func (*page) Style() template.CSS { return template.CSS(uPlotStyle + styleText) }

// Library returns uPlot, which draws the charts, with its licence.
func (*page) Library() template.JS { return template.JS("/*\n" + uPlotLicense + "*/\n" + uPlotText) }

// Script returns the program that sorts tables and draws charts.
func (*page) Script() template.JS { return template.JS(scriptText + chartText) }

// Spectrum is the latency of all cells by percentile.
func (p *page) Spectrum() plot { return spectrum(p.Dir) }

// Distribution is the share of the operations of all cells that was answered within a time.
func (p *page) Distribution() plot { return distribution(p.Dir) }

// Memory says how much the host has.
func (p *page) Memory() string { return humanize.IBytes(uint64(max(0, p.Dir.Manifest.Host.Memory))) }

// Model says what the model was calibrated with.
func (p *page) Model() string {
	c := p.Calibration
	other := ""
	if m := p.Dir.Manifest; c.Other(m.Commit, m.Host.Name, m.Host.CPUs) != "" {
		other = " Another " + c.Other(m.Commit, m.Host.Name, m.Host.CPUs) + "."
	}
	return fmt.Sprintf("Calibrated %s on %s, programs of %s: a sync takes %s, the disk %sB/s, a round trip takes %s, %d processors.%s",
		c.Taken.Format("2006-01-02"), c.Host, c.Commit, chart.Time(c.SyncNs), chart.SI(c.DiskBytesPerS), chart.Time(c.RoundTripNs), c.CPUs, other)
}

// figure is a graph with its table.
type figure struct {
	Graph   suite.Graph
	Picture template.HTML // SVG
	Charts  []plot        // the same for a browser that runs programs
	Reading string        // what their marks mean
	Problem string        // why there is no picture
	Table   table
	Replay  string
}

// newFigure draws a graph into the directory's files and for the report.
func newFigure(dir *suite.Dir, g suite.Graph, calibration *model.Calibration) (figure, error) {
	f := figure{Graph: g, Replay: replay(dir, g)}
	data, err := chart.Collect(dir.Suite, g, dir.Manifest, dir.Runs(), calibration)
	if err != nil {
		f.Problem = err.Error()
		return f, nil
	}
	f.Table, f.Charts = tableOf(data), plotsOf(data)
	if g.Kind != suite.KindTimeline && len(f.Charts) > 0 {
		f.Reading = data.Reading(false)
	}
	for _, format := range []string{"svg", "png"} {
		path := filepath.Join(dir.Path, GraphsDir, g.Name+"."+format)
		var picture bytes.Buffer
		if err := data.Write(&picture, format); err != nil {
			f.Problem = err.Error()
			return f, record.SavePage(path, nil)
		}
		if err := record.SavePage(path, picture.Bytes()); err != nil {
			return f, err
		}
		if format == "svg" {
			f.Picture = inline(picture.Bytes())
		}
	}
	return f, nil
}

// inline takes the SVG element out of a file, without its prologue. It comes from our own renderer, which escapes texts.
func inline(svg []byte) template.HTML {
	return template.HTML(svg[max(0, bytes.Index(svg, []byte("<svg"))):])
}

// replay is the command that measures again what a graph shows, into a directory of its own. A suite that does not come with
// the program, or no longer as it was, is the one that the results directory has.
func replay(dir *suite.Dir, g suite.Graph) string {
	m := dir.Manifest
	name := dir.Suite.Name
	if _, text, err := suites.Load(name); err != nil || !bytes.Equal(text, dir.Text) {
		name = filepath.Join(dir.Path, suite.SuiteFile)
	}
	args := []string{"bin/bench", "run", name, "--seed", fmt.Sprint(m.Seed), "--repeats", fmt.Sprint(m.Repeats),
		"--duration", m.Duration.String(), "--out", filepath.Join("results", "again", dir.Suite.Name)}
	if len(g.Where) > 0 && onAxes(dir.Suite, g.Where) {
		args = append(args, "--only", g.Where.String())
	}
	return suite.ShellLine(args)
}

// onAxes tells whether all cells can be told apart by these settings: --only matches what a cell itself sets.
func onAxes(s *suite.Suite, where suite.Cell) bool {
	for _, setting := range where {
		for _, cell := range s.Cells() {
			if cell.Get(setting.Knob) == "" {
				return false
			}
		}
	}
	return true
}
