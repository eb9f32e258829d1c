// Package report renders results: as text for people, as tables and logs for other tools, and as graphs.
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

	"paxosbench/bench/record"
)

// Run is one run's result with the series that belongs to it.
type Run struct {
	Name   string // for legends and tables: the directory's or file's name
	Dir    string
	Result *record.Result
	Rows   []record.Row // empty if there is no series, as for a merged result
	// Torn says why the series ends where it does, if it was not written whole. What does not show it needs none.
	Torn error
}

// Load reads a run from its directory, or from its result file.
func Load(path string) (*Run, error) {
	dir := path
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		dir = filepath.Dir(path)
	}
	result, err := record.Load(path)
	if err != nil {
		return nil, err
	}
	run := &Run{Name: filepath.Base(dir), Dir: dir, Result: result}
	file, err := os.Open(filepath.Join(dir, record.SeriesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return run, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if run.Rows, err = record.ReadRows(file); err != nil {
		run.Torn = fmt.Errorf("%s: %w", file.Name(), err)
	}
	return run, nil
}

// Format names a rendering.
type Format string

// renderers by format.
var renderers = map[Format]func(io.Writer, []*Run) error{
	"text":  writeText,
	"json":  writeJSON,
	"csv":   writeCSV,
	"hgrm":  func(w io.Writer, runs []*Run) error { return Percentiles(w, runs, "", record.UsualTicks) },
	"hlog":  writeLog,
	"bench": writeBench,
	"png":   graph("png"),
	"svg":   graph("svg"),
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
func Write(w io.Writer, format Format, runs []*Run) error {
	if len(runs) == 0 {
		return errors.New("nothing to report")
	}
	return renderers[format](w, runs)
}

func writeText(w io.Writer, runs []*Run) error {
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

func writeJSON(w io.Writer, runs []*Run) error {
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

func one(runs []*Run, format string) (*Run, error) {
	if len(runs) != 1 {
		return nil, fmt.Errorf("%s describes one run, not %d: merge them first", format, len(runs))
	}
	return runs[0], nil
}

// writeLog writes the interval log that the run left behind, or without one a log of a single interval.
func writeLog(w io.Writer, runs []*Run) error {
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
