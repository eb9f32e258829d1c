package record

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Names of the files beside result.json.
const (
	SeriesFile   = "series.ndjson"
	LogFile      = "series.hlog"
	IntendedFile = "latency.hgrm"
	ServiceFile  = "service.hgrm"
	SendLagFile  = "send_lag.hgrm"
)

// Dir writes the files of one run into a directory. The interval log is written as the run goes, the rest at its end.
type Dir struct {
	path string
	log  *os.File
	sink *LogWriter
}

// CreateDir makes the directory and opens the interval log.
func CreateDir(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(path, LogFile))
	if err != nil {
		return nil, err
	}
	return &Dir{path: path, log: log}, nil
}

// Start writes the head of the interval log; start is when the measurement begins.
func (d *Dir) Start(start time.Time) error {
	sink, err := NewLogWriter(d.log, start)
	d.sink = sink
	return err
}

// Interval appends to the interval log. It implements Sink; Start must have been called.
func (d *Dir) Interval(row *Row, set *Set) error { return d.sink.Interval(row, set) }

// Finish writes everything else and closes the interval log.
func (d *Dir) Finish(result *Result, rows []Row, set *Set) error {
	if err := d.log.Close(); err != nil {
		return fmt.Errorf("interval log: %w", err)
	}
	series := func(w io.Writer) error { return WriteRows(w, rows) }
	if err := writeFile(filepath.Join(d.path, SeriesFile), series); err != nil {
		return err
	}
	return writeResult(d.path, result, set)
}

// WriteMerged writes a merged result, which has no series, into a directory.
func WriteMerged(path string, result *Result, set *Set) error {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	return writeResult(path, result, set)
}

// writeResult writes the percentile tables and, last, the result: a directory that has one is complete.
func writeResult(path string, result *Result, set *Set) error {
	data, err := result.MarshalIndented()
	if err != nil {
		return err
	}
	for name, h := range map[string]*Histogram{IntendedFile: set.Intended, ServiceFile: set.Service, SendLagFile: set.SendLag} {
		table := func(w io.Writer) error { return h.WritePercentiles(w, UsualTicks) }
		if err := writeFile(filepath.Join(path, name), table); err != nil {
			return err
		}
	}
	return writeFile(filepath.Join(path, ResultFile), func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

func writeFile(path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := write(file); err != nil {
		file.Close()
		return fmt.Errorf("%s: %w", path, err)
	}
	return file.Close()
}
