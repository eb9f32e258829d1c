//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"

	"paxosbench/bench/load/verdict"
	"paxosbench/bench/record"
	"paxosbench/bench/report"
	"paxosbench/cmd/program"
)

// mergeCommand is loadgen merge.
type mergeCommand struct {
	Paths []string `arg:"" help:"Results, or directories that hold one." placeholder:"PATH" name:"path"`
	Out   string   `help:"Directory for the merged result.json and latency files." placeholder:"DIR"`
	JSON  bool     `name:"json" help:"Print JSON instead of a summary."`
}

// Help is the text below the usage line.
func (*mergeCommand) Help() string {
	return `Throughputs and counters are added, histograms merged; percentiles are never averaged. Every generator keeps
its own row. Results that are not parts of one measurement are refused: the same one twice, others of
another kind of load, others of another time. The merged one is degraded if only part of the time was
measured by all generators, or they differ in rate, connections, threads or windows.

Example, on two hosts and then on one:
  loadgen run --generator 1/2 --start-at 2026-01-31T12:00:00Z --rate 500k --out one
  loadgen run --generator 2/2 --start-at 2026-01-31T12:00:00Z --rate 500k --out two
  loadgen merge one two --out both`
}

// Run carries out loadgen merge.
func (c *mergeCommand) Run(s *streams) error {
	var results []*record.Result
	for _, path := range c.Paths {
		if c.Out != "" && record.SameFile(record.DirOf(path), c.Out) {
			return program.Usage(fmt.Errorf("--out %s holds what is to be merged and would lose it: name another directory", c.Out))
		}
		r, err := record.Load(path)
		if err != nil {
			return program.Usage(err)
		}
		results = append(results, r)
	}
	merged, set, err := record.Merge(results)
	if err != nil {
		return program.Usage(err)
	}
	if c.Out != "" {
		if err := record.WriteMerged(c.Out, merged, set); err != nil {
			return err
		}
	}
	if err := printResult(s, merged, c.JSON); err != nil {
		return err
	}
	maxErrors, objective := 1.0, verdict.Objective{}
	if limit, ok := merged.Config["max_errors"].(float64); ok {
		maxErrors = limit
	}
	if text, ok := merged.Config["objective"].(string); ok {
		if err := objective.UnmarshalText([]byte(text)); err != nil {
			return program.Usage(err)
		}
	}
	return verdictError(merged, set.Intended, maxErrors, objective, false)
}

// reportCommand is loadgen report.
type reportCommand struct {
	Paths  []string       `arg:"" help:"Results, or directories that hold one." placeholder:"PATH" name:"path"`
	Format report.Format  `help:"${formats} (${default})." default:"text" placeholder:"FORMAT"`
	Of     report.Measure `help:"Histogram that hgrm shows: ${measures}. Default: intended." placeholder:"WHICH"`
	Ticks  int            `help:"Lines of hgrm per halving of the distance to 100 %. Default: 5." placeholder:"N"`
	Out    string         `help:"File to write to. Default: stdout." placeholder:"FILE"`
}

// reportWords are what the help of report lists.
func reportWords() kong.Vars {
	return kong.Vars{"formats": strings.Join(report.Formats(), ", "), "measures": strings.Join(report.Measures(), ", ")}
}

// Help is the text below the usage line.
func (*reportCommand) Help() string {
	return `text, json, csv (the series), bench (for benchstat), png and svg take any number of results; hgrm and hlog
take one.

Examples:
  loadgen report results/closed
  loadgen report --format hgrm --of send-lag --ticks 1 results/open
  loadgen report --format svg --out failover.svg results/failover
  loadgen report --format bench results/*/ | go tool benchstat -col /batch -`
}

// mostTicks bounds the length of percentile tables.
const mostTicks = 100

// Run carries out loadgen report.
func (c *reportCommand) Run(s *streams) error {
	if c.Format != "hgrm" && (c.Of != "" || c.Ticks != 0) {
		return program.Usage(errors.New("--of and --ticks are for --format hgrm"))
	}
	if (c.Format == "hgrm" || c.Format == "hlog") && len(c.Paths) != 1 {
		return program.Usage(fmt.Errorf("%s describes one result, not %d: name one, or merge them first", c.Format, len(c.Paths)))
	}
	if c.Ticks == 0 {
		c.Ticks = record.UsualTicks
	}
	if c.Ticks < 1 || c.Ticks > mostTicks {
		return program.Usage(fmt.Errorf("%d ticks: 1 to %d", c.Ticks, mostTicks))
	}
	var runs []*record.Run
	for _, path := range c.Paths {
		run, err := record.LoadRun(path)
		if err != nil {
			return program.Usage(err)
		}
		runs = append(runs, run)
	}
	if c.Out == "" {
		return c.write(s.out, runs)
	}
	if err := c.checkOut(); err != nil {
		return program.Usage(err)
	}
	if err := os.MkdirAll(filepath.Dir(c.Out), 0o755); err != nil {
		return coded(exitOutput, err)
	}
	return record.WriteFile(c.Out, func(w io.Writer) error { return c.write(w, runs) })
}

// checkOut refuses to write a report over what it is made from. An interval log that is written again is the same as before.
func (c *reportCommand) checkOut() error {
	for _, path := range c.Paths {
		files := []string{path}
		for _, name := range []string{record.ResultFile, record.SeriesFile, record.LogFile} {
			files = append(files, filepath.Join(record.DirOf(path), name))
		}
		for _, file := range files {
			if record.SameFile(c.Out, file) && (c.Format != "hlog" || filepath.Base(file) != record.LogFile) {
				return fmt.Errorf("--out %s is what the report is made from, and would be lost: name another file", c.Out)
			}
		}
	}
	return nil
}

func (c *reportCommand) write(w io.Writer, runs []*record.Run) error {
	if c.Format == "hgrm" {
		return report.Percentiles(w, runs, c.Of, c.Ticks)
	}
	return report.Write(w, c.Format, runs)
}
