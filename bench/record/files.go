package record

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
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

// unfinished is what a result is called while it is written.
const unfinished = ResultFile + ".part"

// Dir writes the files of one run into a directory. The interval log is written as the run goes, the rest at its end.
type Dir struct {
	path string
	log  *os.File
	sink *LogWriter
}

// CreateDir makes the directory, removes what an earlier run has left in it, and opens the interval log.
func CreateDir(path string) (*Dir, error) {
	if err := emptyDir(path); err != nil {
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

// WriteMerged writes a merged result, which has no series, into a directory. It removes what an earlier run has left in it.
func WriteMerged(path string, result *Result, set *Set) error {
	if err := emptyDir(path); err != nil {
		return err
	}
	return writeResult(path, result, set)
}

// emptyDir makes the directory, or removes from it the files that runs leave, and no others. The result goes first: at no
// time is there one beside files that are not its own, however this ends.
func emptyDir(path string) error {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	for _, name := range []string{ResultFile, unfinished, SeriesFile, LogFile, IntendedFile, ServiceFile, SendLagFile} {
		if err := os.Remove(filepath.Join(path, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what an earlier run has left: %w", err)
		}
	}
	return nil
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
	part := filepath.Join(path, unfinished)
	whole := func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}
	if err := writeFile(part, whole); err != nil {
		return err
	}
	return os.Rename(part, filepath.Join(path, ResultFile))
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
