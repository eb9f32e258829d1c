package journal

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
)

// keeper keeps the identity file of an open directory. The owner and whoever flushes change it.
type keeper struct {
	fs  FS
	dir string

	mu sync.Mutex // held during I/O too: changes are rare
	id identityFile
}

// get returns what the file holds.
func (k *keeper) get() identityFile {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.id
}

// update changes the file, durably by the time it returns; if nothing changes it is not written. After an error nobody
// knows which of the two states the disk has, and the replica must stop.
func (k *keeper) update(change func(*identityFile)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	id := k.id
	change(&id)
	if bytes.Equal(id.encode(), k.id.encode()) {
		return nil
	}
	if err := writeIdentity(k.fs, k.dir, &id); err != nil {
		return err
	}
	k.id = id
	return nil
}

// readIdentity reads the identity file of a directory and reports whether there is one. If the file is damaged the error
// is a *CorruptError, and whole says that id is nevertheless what had been written.
func readIdentity(fsys FS, dir string) (id identityFile, found, whole bool, err error) {
	name := filepath.Join(dir, identityName)
	b, err := readBlock(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return identityFile{}, false, false, nil
	}
	if err != nil {
		return identityFile{}, true, false, err
	}
	id, damage, err := decodeIdentity(b)
	if err != nil {
		return identityFile{}, true, false, &VersionError{File: name, Err: err}
	}
	if damage != nil {
		return id, true, damage.whole, &CorruptError{File: name, Offset: damage.offset, Reason: damage.reason}
	}
	return id, true, true, nil
}

// readBlock returns a file of one block; of another size as much as fits into two.
func readBlock(fsys FS, name string) ([]byte, error) {
	f, err := fsys.Open(name, 0)
	if err != nil {
		return nil, unreadable(name, 0, err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, unreadable(name, 0, err)
	}
	b := make([]byte, min(size, 2*BlockSize))
	if n, err := f.ReadAt(b, 0); n < len(b) {
		return nil, unreadable(name, 0, err)
	}
	return b, nil
}

// writeIdentity replaces the identity file, durably and at once. A failure leaves the old one, or, if it came last,
// either of the two.
func writeIdentity(fsys FS, dir string, id *identityFile) error {
	return writeFile(fsys, dir, identityName, id.encode())
}

// writeFile gives a directory a file with the given contents, whole and durable or not at all.
func writeFile(fsys FS, dir, name string, contents []byte) error {
	scratch := filepath.Join(dir, name+ScratchSuffix)
	err := writeSynced(fsys, scratch, contents)
	if err == nil {
		err = fsys.Rename(scratch, filepath.Join(dir, name))
	}
	if err != nil {
		_ = fsys.Remove(scratch) // it only takes room; the next Open tries again
		return err
	}
	return fsys.SyncDir(dir)
}

func writeSynced(fsys FS, name string, contents []byte) error {
	f, err := fsys.Open(name, OpenCreate)
	if err != nil {
		return err
	}
	if err := writeAll(f, contents, 0); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}

// removeScratch removes what has been left half-made, so that it does not keep a full disk full.
func removeScratch(fsys FS, dir string) error {
	names, err := fsys.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if base, ok := strings.CutSuffix(name, ScratchSuffix); ok && (base == segmentScratch || isOurs(base)) {
			err = errors.Join(err, fsys.Remove(filepath.Join(dir, name)))
		}
	}
	return err
}
