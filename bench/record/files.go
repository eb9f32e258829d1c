package record

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
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

// ErrOutput means that results could not be written: no permission, or no room.
var ErrOutput = errors.New("the results cannot be written")

// Lock is a directory that one process at a time writes results into.
type Lock struct{ dir *os.File }

// LockDir makes the directory and locks it for this process, which is said if another one has it.
func LockDir(path string) (*Lock, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOutput, err)
	}
	dir, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOutput, err)
	}
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		dir.Close()
		return nil, fmt.Errorf("%w: another run writes to %s (%w): wait for its end, or name another directory", ErrOutput, path, err)
	}
	return &Lock{dir}, nil
}

// Unlock lets others write to the directory.
func (l *Lock) Unlock() error { return l.dir.Close() }

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
	lock, err := LockDir(path)
	if err != nil {
		return nil, err
	}
	d := &Dir{path: path, lock: lock}
	if d.part, err = os.MkdirTemp(path, ".unfinished-"); err == nil {
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

func outputError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrOutput, err)
}

// WriteMerged writes a merged result, which has no series, into a directory, in the place of what an earlier run has left.
func WriteMerged(path string, result *Result, set *Set) error {
	lock, err := LockDir(path)
	if err != nil {
		return err
	}
	part, err := os.MkdirTemp(path, ".unfinished-")
	if err == nil {
		err = writeResult(part, result, set)
	}
	if err == nil {
		err = install(part, path)
	}
	return outputError(errors.Join(err, os.RemoveAll(part), lock.Unlock()))
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
	return WriteFile(filepath.Join(dir, ResultFile), func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// WriteFile writes a file that takes the place of what is there when it is whole, and not before: what is written may be made
// of the very file that it replaces. A device or a pipe is written to as it is.
func WriteFile(path string, write func(io.Writer) error) error {
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		path = resolved
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return writeInto(path, write)
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	file.Close()
	err = writeInto(file.Name(), write)
	if err == nil {
		err = os.Chmod(file.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

// SavePage writes a page beside a run's files, or removes that of an earlier run if there is none: it is not this run's.
func SavePage(path string, page []byte) error {
	if page == nil {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	return WriteFile(path, func(w io.Writer) error {
		_, err := w.Write(page)
		return err
	})
}

func writeInto(path string, write func(io.Writer) error) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if err := write(file); err != nil {
		file.Close()
		return fmt.Errorf("%s: %w", path, err)
	}
	return file.Close()
}
