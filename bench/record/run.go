package record

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Run is one run's result with the series that belongs to it.
type Run struct {
	Name   string // for legends and tables: the directory's or file's name
	Dir    string
	Result *Result
	Rows   []Row // empty if there is no series, as for a merged result
	// Torn says why the series ends where it does, if it was not written whole. What does not show it needs none.
	Torn error
}

// DirOf returns the directory of a result that is named by it, or by its file.
func DirOf(path string) string {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return filepath.Dir(path)
	}
	return path
}

// LoadRun reads a run from its directory, or from its result file.
func LoadRun(path string) (*Run, error) {
	dir := DirOf(path)
	result, err := Load(path)
	if err != nil {
		return nil, err
	}
	run := &Run{Name: filepath.Base(dir), Dir: dir, Result: result}
	file, err := os.Open(filepath.Join(dir, SeriesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return run, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if run.Rows, err = ReadRows(file); err != nil {
		run.Torn = fmt.Errorf("%s: %w", file.Name(), err)
	}
	return run, nil
}
