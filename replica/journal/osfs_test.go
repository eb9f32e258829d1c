package journal

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestDirectFallback checks that a transfer that the disk refuses to do directly is done through the page cache. A
// write that is not aligned is refused like one on a file system without direct transfers.
func TestDirectFallback(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	f, err := OSFS{}.Open(name, OpenCreate|OpenDirect)
	if err != nil {
		t.Fatal(err)
	}
	block := alignedBytes(BlockSize)
	block[7] = 7
	for _, data := range [][]byte{block, []byte("odd")} {
		if err := writeAll(f, data, 0); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(name); err != nil || !bytes.HasPrefix(got, data) || len(got) != BlockSize {
			t.Fatalf("read back %d bytes, %v", len(got), err)
		}
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err == nil {
		t.Error("syncing a closed file succeeded")
	}
}

// TestAllocate checks that a file is as long as the room taken for it, full of zeros, and that direct writes go there.
func TestAllocate(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	f, err := OSFS{}.Open(name, OpenCreate|OpenDirect)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Allocate(3 * BlockSize); errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	block := alignedBytes(BlockSize)
	block[0] = 1
	if err := errors.Join(writeAll(f, block, BlockSize), f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
	want := append(append(make([]byte, BlockSize), block...), make([]byte, BlockSize)...)
	if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, error %v", len(got), err)
	}
	if err := f.Allocate(BlockSize); err == nil {
		t.Error("room was taken for a closed file")
	}
}

func TestOSFSErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := (OSFS{}).Open(filepath.Join(dir, "none"), 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opening what does not exist: %v", err)
	}
	if _, err := (OSFS{}).List(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("listing what does not exist: %v", err)
	}
	if err := (OSFS{}).SyncDir(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("syncing what does not exist: %v", err)
	}
	if _, err := (OSFS{}).Lock(dir); err == nil {
		t.Error("a directory was locked")
	}
}
