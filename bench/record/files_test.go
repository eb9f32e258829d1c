package record

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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

// A run that ends without notice, by SIGKILL say, leaves no result beside its files: not that of the run before it
// either. What loadgen has not written stays.
func TestUnfinishedRunHasNoResult(t *testing.T) {
	dir := t.TempDir()
	for _, other := range []string{"notes.txt", "results.json"} {
		if err := os.WriteFile(filepath.Join(dir, other), []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files, err := CreateDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	finish(t, files)
	if _, err := Load(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, unfinished), []byte("{"), 0o644); err != nil { // one ended while it was written
		t.Fatal(err)
	}
	if files, err = CreateDir(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the result of an earlier run is there (%v)", err)
	}
	if names := entries(t, dir); !slices.Equal(names, []string{"notes.txt", "results.json", LogFile}) {
		t.Errorf("the directory of a run that has begun holds %q", names)
	}
	finish(t, files)
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
