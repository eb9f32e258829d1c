package suite

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"paxosbench/bench/record"
)

// Names of the files of a results directory.
const (
	SuiteFile    = "suite.yaml"
	ManifestFile = "manifest.json"
	PlanFile     = "plan.ndjson"
	RunsFile     = "runs.ndjson"
)

// Dir is a results directory: the suite as it was, the plan, the manifest, and the runs made so far, which are only
// ever appended to. It is not safe for concurrent use, and only one process may append.
type Dir struct {
	Path     string
	Suite    *Suite
	Text     []byte // the YAML of the suite
	Manifest Manifest
	Plan     []Planned

	runs []Run
	file *os.File // runs.ndjson while this process appends to it
}

// ErrExists is the error of Create on a directory that holds results.
var ErrExists = errors.New("has results already")

// ErrForeign is the error of Create on a directory whose files are not a suite's results, or not this one's.
var ErrForeign = errors.New("would be overwritten: choose another directory")

// Create makes a results directory. text is the YAML that s was parsed from, which may be that directory's already. What else is
// there in the place of its files is left as it is, and refused.
func Create(path string, s *Suite, text []byte, m Manifest, plan []Planned) (*Dir, error) {
	lock, err := record.MakeDir(path)
	if err != nil {
		return nil, err
	}
	defer lock.Unlock()
	if err := checkFree(path, text); err != nil {
		return nil, err
	}
	m.Schema = Schema
	manifest, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	lines, err := ndjson(plan)
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	// The plan comes last: a directory that has one is complete.
	files := []struct {
		name string
		data []byte
	}{{SuiteFile, text}, {ManifestFile, append(manifest, '\n')}, {RunsFile, nil}, {PlanFile, lines}}
	for _, f := range files {
		if err := saveSynced(filepath.Join(path, f.name), f.data); err != nil {
			return nil, err
		}
	}
	return &Dir{Path: path, Suite: s, Text: text, Manifest: m, Plan: plan}, nil
}

// Open reads a results directory.
func Open(path string) (*Dir, error) {
	d := &Dir{Path: path}
	text, err := os.ReadFile(filepath.Join(path, SuiteFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s holds no results: bench run makes them (%w)", path, err)
	} else if err != nil {
		return nil, err
	}
	d.Text = text
	if d.Suite, err = Parse(filepath.Join(path, SuiteFile), text); err != nil {
		return nil, err
	}
	if err := d.readManifest(); err != nil {
		return nil, err
	}
	if d.Plan, _, err = readLines[Planned](filepath.Join(path, PlanFile)); err != nil {
		return nil, err
	}
	d.runs, _, err = readLines[Run](filepath.Join(path, RunsFile))
	return d, err
}

func (d *Dir) readManifest() error {
	path := filepath.Join(d.Path, ManifestFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &d.Manifest); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if d.Manifest.Schema != Schema {
		return fmt.Errorf("%s: schema %q, this program reads %q", path, d.Manifest.Schema, Schema)
	}
	return nil
}

// Runs returns the runs kept, probes included, in the order they were made. The slice is the directory's.
func (d *Dir) Runs() []Run { return d.runs }

// Pending returns the planned runs that have not been made, in the plan's order.
func (d *Dir) Pending() []Planned {
	done := make(map[string]bool, len(d.runs))
	for _, r := range d.runs {
		done[r.ID] = true
	}
	var pending []Planned
	for _, p := range d.Plan {
		if !done[p.ID] {
			pending = append(pending, p)
		}
	}
	return pending
}

// Append keeps a run. When it returns, the run is on disk.
func (d *Dir) Append(r Run) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("run %s: %w", r.ID, err)
	}
	if err := d.Lock(); err != nil {
		return err
	}
	if _, err := d.file.Write(append(line, '\n')); err != nil {
		return err
	}
	if err := d.file.Sync(); err != nil {
		return err
	}
	d.runs = append(d.runs, r)
	return nil
}

// ErrLocked is the error of Lock if another process appends to the directory.
var ErrLocked = errors.New("another bench run is at work there")

// Lock makes this process the one that appends. It reads the runs again, and cuts off a line that a crash left
// unfinished: its run counts as not made. Append locks by itself; Close unlocks.
func (d *Dir) Lock() error {
	if d.file != nil {
		return nil
	}
	path := filepath.Join(d.Path, RunsFile)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return errors.Join(fmt.Errorf("%w: %s: %w (%w): wait for its end, or choose another directory", record.ErrOutput, d.Path, ErrLocked, err), file.Close())
	}
	runs, whole, err := readLines[Run](path)
	if err == nil {
		err = file.Truncate(whole)
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	d.runs, d.file = runs, file
	return nil
}

// Redraw has the directory keep another version of its suite, which differs in nothing but what the report shows.
func (d *Dir) Redraw(s *Suite, text []byte) error {
	if bytes.Equal(text, d.Text) {
		return nil
	}
	if err := saveSynced(filepath.Join(d.Path, SuiteFile), text); err != nil {
		return err
	}
	d.Suite, d.Text = s, text
	return nil
}

// Close unlocks the directory.
func (d *Dir) Close() error {
	if d.file == nil {
		return nil
	}
	file := d.file
	d.file = nil
	return file.Close()
}

func ndjson[T any](items []T) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, item := range items {
		if err := enc.Encode(item); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// readLines reads the finished lines of a file and tells how many bytes they are. A last line without an end is one
// that was being written when the process was killed.
func readLines[T any](path string) (items []T, whole int64, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, 0, err
	}
	for number := 1; ; number++ {
		line, rest, finished := bytes.Cut(data, []byte("\n"))
		if !finished {
			return items, whole, nil
		}
		var item T
		if err := json.Unmarshal(line, &item); err != nil {
			return nil, 0, fmt.Errorf("%s, line %d: %w", path, number, err)
		}
		items = append(items, item)
		whole += int64(len(line)) + 1
		data = rest
	}
}

// checkFree refuses a directory that has results, or files in their place that were there before. What a Create that broke off has left
// is none of these.
func checkFree(path string, text []byte) error {
	if _, err := os.Stat(filepath.Join(path, PlanFile)); err == nil {
		return fmt.Errorf("%s %w", path, ErrExists)
	}
	d := &Dir{Path: path}
	for name, ours := range map[string]func(data []byte) bool{
		SuiteFile:    func(data []byte) bool { return bytes.Equal(data, text) },
		ManifestFile: func([]byte) bool { return d.readManifest() == nil },
		RunsFile:     func(data []byte) bool { return len(data) == 0 },
	} {
		file := filepath.Join(path, name)
		data, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err == nil && !ours(data) {
			return fmt.Errorf("%s is not of this suite and %w", file, ErrForeign)
		}
	}
	return nil
}

// saveSynced writes a file that is on disk when it returns.
func saveSynced(path string, data []byte) error {
	return record.WriteFile(path, func(w io.Writer) error {
		if _, err := w.Write(data); err != nil {
			return err
		}
		file, _ := w.(*os.File)
		return file.Sync()
	})
}
