// Package report renders results: those of a run as text for people, as tables and logs for other tools, and as a graph; those
// of a suite as a page with its graphs and tables. What it draws with is package chart.
package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"paxosbench/bench/chart"
	"paxosbench/bench/record"
)

// Format names a rendering.
type Format string

// renderers by format.
var renderers = map[Format]func(io.Writer, []*record.Run) error{
	"text":  writeText,
	"json":  writeJSON,
	"csv":   writeCSV,
	"hgrm":  func(w io.Writer, runs []*record.Run) error { return Percentiles(w, runs, "", record.UsualTicks) },
	"hlog":  writeLog,
	"bench": writeBench,
	"png":   writeGraph("png"),
	"svg":   writeGraph("svg"),
}

// Formats lists the formats.
func Formats() []string {
	names := make([]string, 0, len(renderers))
	for f := range renderers {
		names = append(names, string(f))
	}
	slices.Sort(names)
	return names
}

// UnmarshalText checks a format's name.
func (f *Format) UnmarshalText(text []byte) error {
	if renderers[Format(text)] == nil {
		return fmt.Errorf("format %q: want one of %s", text, strings.Join(Formats(), ", "))
	}
	*f = Format(text)
	return nil
}

// Write renders runs. hgrm and hlog describe one run only; the others take any number.
func Write(w io.Writer, format Format, runs []*record.Run) error {
	if len(runs) == 0 {
		return errors.New("nothing to report")
	}
	return renderers[format](w, runs)
}

func writeText(w io.Writer, runs []*record.Run) error {
	for i, run := range runs {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if len(runs) > 1 {
			fmt.Fprintf(w, "== %s\n", run.Name)
		}
		if err := Summary(w, run.Result); err != nil {
			return err
		}
		if err := Details(w, run); err != nil {
			return err
		}
	}
	return nil
}

func writeJSON(w io.Writer, runs []*record.Run) error {
	if len(runs) == 1 {
		data, err := runs[0].Result.MarshalIndented()
		if err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	}
	results := make([]*record.Result, len(runs))
	for i, run := range runs {
		results[i] = run.Result
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(results)
}

func writeGraph(format string) func(io.Writer, []*record.Run) error {
	return func(w io.Writer, runs []*record.Run) error { return chart.WriteRuns(w, format, title(runs), runs) }
}

// title says what was run, so that the graph explains itself away from its directory.
func title(runs []*record.Run) string {
	if len(runs) > 1 {
		names := make([]string, len(runs))
		for i, run := range runs {
			names[i] = run.Name
		}
		return "Throughput: " + strings.Join(names, ", ")
	}
	r := runs[0].Result
	return fmt.Sprintf("Throughput: %s op/s, %s (%s)", Grouped(int64(r.ThroughputOpsPerS)), loadText(r), r.Verdict)
}

func one(runs []*record.Run, format string) (*record.Run, error) {
	if len(runs) != 1 {
		return nil, fmt.Errorf("%s describes one run, not %d: merge them first", format, len(runs))
	}
	return runs[0], nil
}

// writeLog writes the interval log that the run left behind, or without one a log of a single interval.
func writeLog(w io.Writer, runs []*record.Run) error {
	run, err := one(runs, "hlog")
	if err != nil {
		return err
	}
	file, err := os.Open(filepath.Join(run.Dir, record.LogFile))
	if err == nil {
		defer file.Close()
		_, err = io.Copy(w, file)
		return err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	set, err := run.Result.HDR.Set()
	if err != nil {
		return err
	}
	log, err := record.NewLogWriter(w, run.Result.StartedAt)
	if err != nil {
		return err
	}
	return log.Interval(&record.Row{LengthS: run.Result.MeasuredS}, set)
}
