package record

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// resultFiles are all that runs leave, in the order in which they take their places: a directory that has a result is
// complete.
var resultFiles = []string{SeriesFile, LogFile, IntendedFile, ServiceFile, SendLagFile, ResultFile}

// Dir takes the files of one run. They are written beside what the directory has and take its place when they are whole.
type Dir struct {
	path string
	part string // directory of what is unfinished
	lock *Lock
	log  *os.File
	sink *LogWriter
	err  error // why there will be no interval log
}

// CreateDir makes the directory, if it is not there, and begins the interval log. Nothing that is there changes before
// Finish. Either Finish or Abandon has to follow.
func CreateDir(path string) (*Dir, error) {
	lock, err := MakeDir(path)
	if err != nil {
		return nil, err
	}
	d := &Dir{path: path, lock: lock}
	if d.part, err = unfinishedDir(path); err == nil {
		d.log, err = os.Create(filepath.Join(d.part, LogFile))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOutput, errors.Join(err, d.Abandon()))
	}
	return d, nil
}

// Start writes the head of the interval log; start is when the measurement begins.
func (d *Dir) Start(start time.Time) error {
	d.sink, d.err = NewLogWriter(d.log, start)
	return nil
}

// Interval appends to the interval log. It implements Sink; Start must have been called. What goes wrong is told at the
// end, once: the figures are worth more than their log.
func (d *Dir) Interval(row *Row, set *Set) error {
	if d.err == nil {
		d.err = d.sink.Interval(row, set)
	}
	return nil
}

// Finish writes everything else and puts it in the place of what an earlier run has left. If that fails, the earlier files
// stay as they are.
func (d *Dir) Finish(result *Result, rows []Row, set *Set) error {
	series := func(w io.Writer) error { return WriteRows(w, rows) }
	err := errors.Join(d.err, d.log.Close())
	if err == nil {
		err = errors.Join(WriteFile(filepath.Join(d.part, SeriesFile), series), writeResult(d.part, result, set))
	}
	if err == nil {
		err = install(d.part, d.path)
	}
	return outputError(errors.Join(err, d.Abandon()))
}

// Abandon removes what is unfinished and lets others write to the directory.
func (d *Dir) Abandon() error {
	if d.log != nil {
		d.log.Close() // a second time, if the run has finished
	}
	return errors.Join(os.RemoveAll(d.part), d.lock.Unlock())
}

// WriteMerged writes a merged result, which has no series, into a directory, in the place of what an earlier run has left.
func WriteMerged(path string, result *Result, set *Set) error {
	lock, err := MakeDir(path)
	if err != nil {
		return err
	}
	part, err := unfinishedDir(path)
	if err == nil {
		err = writeResult(part, result, set)
	}
	if err == nil {
		err = install(part, path)
	}
	return outputError(errors.Join(err, os.RemoveAll(part), lock.Unlock()))
}

// unfinishedDir makes a directory for the files of a run in one that is locked, and removes those of runs that were killed.
func unfinishedDir(path string) (string, error) {
	entries, err := os.ReadDir(path)
	for _, entry := range entries {
		if left := filepath.Join(path, entry.Name()); strings.HasPrefix(entry.Name(), unfinished) && isUnfinished(left) {
			err = errors.Join(err, os.RemoveAll(left))
		}
	}
	if err != nil {
		return "", err
	}
	return os.MkdirTemp(path, unfinished+"*")
}

// isUnfinished tells whether a directory holds what a run had not finished, and nothing else. One with a result was whole.
func isUnfinished(path string) bool {
	entries, err := os.ReadDir(path)
	return err == nil && !slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		return e.Name() == ResultFile || !slices.Contains(resultFiles, e.Name()) && !strings.HasPrefix(e.Name(), unfinished)
	})
}

// install moves the files of a run to where they belong. The old result goes first: at no time is there one beside files that
// are not its own, however this ends.
func install(part, path string) error {
	for _, name := range slices.Backward(resultFiles) {
		if err := os.Remove(filepath.Join(path, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("replace what an earlier run has left: %w", err)
		}
	}
	for _, name := range resultFiles {
		if err := os.Rename(filepath.Join(part, name), filepath.Join(path, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// writeResult writes the percentile tables and the result.
func writeResult(dir string, result *Result, set *Set) error {
	data, err := result.MarshalIndented()
	if err != nil {
		return err
	}
	for name, h := range map[string]*Histogram{IntendedFile: set.Intended, ServiceFile: set.Service, SendLagFile: set.SendLag} {
		table := func(w io.Writer) error { return h.WritePercentiles(w, UsualTicks) }
		if err := WriteFile(filepath.Join(dir, name), table); err != nil {
			return err
		}
	}
	return SaveFile(filepath.Join(dir, ResultFile), data)
}
