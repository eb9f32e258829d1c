package record

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// entries lists a directory.
func entries(t *testing.T, dir string) (names []string) {
	t.Helper()
	found, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range found {
		names = append(names, entry.Name())
	}
	return names
}

// finish completes a run in a directory.
func finish(t *testing.T, files *Dir) {
	t.Helper()
	r := resultOf(t, "a", samples(6, 100), Valid)
	set, err := r.HDR.Set()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(files.Start(time.Unix(1e9, 0)), files.Finish(r, []Row{{OK: 100}}, set)); err != nil {
		t.Fatal(err)
	}
}

// What an earlier run has left stays until what replaces it is whole, and what loadgen has not written stays anyway.
func TestResultsAreReplacedWhole(t *testing.T) {
	dir := t.TempDir()
	for _, other := range []string{"notes.txt", "results.json", "result.json.part"} {
		if err := os.WriteFile(filepath.Join(dir, other), []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	whole := []string{IntendedFile, "notes.txt", ResultFile, "result.json.part", "results.json", SendLagFile, LogFile, SeriesFile, ServiceFile}
	files := createDir(t, dir)
	finish(t, files)
	if names := entries(t, dir); !slices.Equal(names, whole) {
		t.Errorf("the directory holds %q", names)
	}
	old, err := os.ReadFile(filepath.Join(dir, LogFile))
	if err != nil {
		t.Fatal(err)
	}

	files = createDir(t, dir)
	if err := files.Start(time.Unix(2e9, 0)); err != nil {
		t.Fatal(err)
	}
	if now, err := os.ReadFile(filepath.Join(dir, LogFile)); err != nil || !slices.Equal(old, now) {
		t.Errorf("a run that has begun has changed the files of the one before it (%v)", err)
	}
	if _, err := CreateDir(dir); !errors.Is(err, ErrOutput) || !strings.Contains(err.Error(), "another run or report writes to "+dir) {
		t.Errorf("two runs write to one directory (%v)", err)
	}
	if err := files.Abandon(); err != nil {
		t.Fatal(err)
	}
	if names := entries(t, dir); !slices.Equal(names, whole) {
		t.Errorf("after a run that came to nothing the directory holds %q", names)
	}
	finish(t, createDir(t, dir))
}

// A disk that is full while a run goes on is told once, at its end, and what an earlier run has left stays.
func TestDiskThatFillsUp(t *testing.T) {
	dir := t.TempDir()
	finish(t, createDir(t, dir))
	before, err := os.ReadFile(filepath.Join(dir, ResultFile))
	if err != nil {
		t.Fatal(err)
	}
	files := createDir(t, dir)
	if err = files.log.Close(); err == nil {
		files.log, err = os.OpenFile("/dev/full", os.O_WRONLY, 0)
	}
	if err = errors.Join(err, files.Start(time.Unix(1e9, 0))); err != nil {
		t.Fatal(err)
	}
	for range 18 {
		if err := files.Interval(&Row{LengthS: 1}, NewSet()); err != nil {
			t.Fatal(err)
		}
	}
	err = files.Finish(resultOf(t, "b", samples(7, 100), Valid), nil, NewSet())
	if !errors.Is(err, ErrOutput) || strings.Count(err.Error(), "no space left") != 1 {
		t.Errorf("told as: %v", err)
	}
	if after, err := os.ReadFile(filepath.Join(dir, ResultFile)); string(after) != string(before) || len(entries(t, dir)) != 6 {
		t.Errorf("%d bytes have become %d, beside %q (%v)", len(before), len(after), entries(t, dir), err)
	}
}

func createDir(t *testing.T, dir string) *Dir {
	t.Helper()
	files, err := CreateDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// A file that cannot be written leaves what it was to replace, and nothing else; a device is written to.
func TestFilesAreReplacedWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	write := func(text string, err error) func(io.Writer) error {
		return func(w io.Writer) error {
			_, werr := io.WriteString(w, text)
			return errors.Join(werr, err)
		}
	}
	copied := func(w io.Writer) error { // of what it replaces
		before, err := os.ReadFile(path)
		_, werr := w.Write(append(before, before...))
		return errors.Join(err, werr)
	}
	if err := errors.Join(WriteFile(path, write("one", nil)), WriteFile(path, copied)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, write("two", io.ErrShortWrite)); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("%v", err)
	}
	if text, err := os.ReadFile(path); string(text) != "oneone" || !slices.Equal(entries(t, dir), []string{"file", "link"}) {
		t.Errorf("%q beside %q (%v)", text, entries(t, dir), err)
	}
	if err := WriteFile(filepath.Join(dir, "link"), write("three", nil)); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); string(text) != "three" || err != nil {
		t.Errorf("what the link leads to holds %q (%v)", text, err)
	}
	for _, place := range []string{"/dev/full", filepath.Join(path, "below")} {
		if err := WriteFile(place, write("four", nil)); !errors.Is(err, ErrOutput) {
			t.Errorf("%s took it: %v", place, err)
		}
	}
}

// What is replaced keeps who may read it, under a name of any length; who else has the old file keeps that.
func TestReplacedFilesKeepTheirMode(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, strings.Repeat("x", 255)), filepath.Join(dir, "other")
	if err := errors.Join(SaveFile(path, []byte("old")), os.Chmod(path, 0o600), os.Link(path, other), SaveFile(path, []byte("new"))); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v (%v)", info, err)
	}
	if text, err := os.ReadFile(other); string(text) != "old" {
		t.Errorf("the other name has %q (%v)", text, err)
	}
}

// What a run that was killed had begun goes with the next one. What it had finished, and what is someone's, does not.
func TestUnfinishedRunsGo(t *testing.T) {
	dir := t.TempDir()
	for _, file := range []string{unfinished + "1/" + LogFile, unfinished + "2/" + ResultFile, unfinished + "3/notes.txt", "notes.txt"} {
		path := filepath.Join(dir, file)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := createDir(t, dir).Abandon(); err != nil {
		t.Fatal(err)
	}
	if names := entries(t, dir); !slices.Equal(names, []string{unfinished + "2", unfinished + "3", "notes.txt"}) {
		t.Errorf("left: %q", names)
	}
}

// A merged result has no series, so there is none in its directory either.
func TestMergedResultReplacesARun(t *testing.T) {
	dir := t.TempDir()
	files, err := CreateDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	finish(t, files)
	merged, set, err := Merge([]*Result{resultOf(t, "a", samples(7, 100), Valid), resultOf(t, "b", samples(8, 100), Valid)})
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteMerged(dir, merged, set); err != nil {
		t.Fatal(err)
	}
	if names := entries(t, dir); !slices.Equal(names, []string{IntendedFile, ResultFile, SendLagFile, ServiceFile}) {
		t.Errorf("the directory of a merged result holds %q", names)
	}
}
