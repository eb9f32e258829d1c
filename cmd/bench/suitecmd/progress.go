//go:build linux

package suitecmd

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"

	"paxosbench/bench/suite"
)

// progress shows how far a sweep is: as a bar with an estimate in a terminal, as a line per run elsewhere.
type progress struct {
	w     io.Writer
	bar   *progressbar.ProgressBar // nil outside a terminal
	n     int
	total int
}

func newProgress(w io.Writer, total int) *progress {
	p := &progress{w: w, total: total}
	if file, ok := w.(*os.File); ok && isTerminal(file) {
		p.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(w), progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(true), progressbar.OptionSetWidth(20), progressbar.OptionThrottle(time.Second),
			progressbar.OptionOnCompletion(func() { fmt.Fprintln(w) }))
	}
	return p
}

func isTerminal(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Begin implements bench.Progress.
func (p *progress) Begin(run suite.Planned) {
	p.n++
	if p.bar != nil {
		p.bar.Describe(fmt.Sprintf("%s %s", run.Kind, run.Cell))
	}
}

// End implements bench.Progress. The bar is an ornament: that it cannot be drawn is no reason to stop.
func (p *progress) End(run *suite.Run) {
	if p.bar != nil {
		_ = p.bar.Add(1)
		return
	}
	throughput := "-"
	if ops, ok := run.Value("throughput"); ok {
		throughput = fmt.Sprintf("%.0f ops/s", ops)
	}
	fmt.Fprintf(p.w, "%d/%d  %s %d  %s  %s  %s\n", p.n, p.total, run.Kind, run.Repeat, run.Cell, run.Status, throughput)
}

// finish leaves the cursor on a line of its own.
func (p *progress) finish() {
	if p.bar != nil && !p.bar.IsFinished() {
		fmt.Fprintln(p.w)
	}
}
