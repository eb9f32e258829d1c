package journal

import (
	"errors"
	"path/filepath"
)

// scratch is a segment file that is being prepared. It is nobody's yet: only once it has the name of a segment is anything
// else than zeros written to it, and then it is no scratch any more.
type scratch struct {
	fs     FS
	name   string
	file   File
	size   int64
	zeros  []byte // a chunk of them, aligned
	filled int64
	room   bool // the file system has taken room for the whole of it
}

// segmentScratch begins the name of a segment file that is being prepared.
const segmentScratch = "segment"

// zeroChunkBytes is small enough that a flush does not wait long behind one write of zeros.
const zeroChunkBytes = 1 << 20

// newScratch takes room for a file of a segment's size, a multiple of BlockSize.
func newScratch(fs FS, dir string, size int64, direct OpenFlags) (*scratch, error) {
	name := filepath.Join(dir, segmentScratch+ScratchSuffix)
	f, err := fs.Open(name, OpenCreate|direct)
	if err != nil {
		return nil, err
	}
	s := &scratch{fs: fs, name: name, file: f, size: size, zeros: alignedBytes(int(min(size, zeroChunkBytes)))}
	err = f.Allocate(size)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		s.discard()
		return nil, err
	}
	s.room = err == nil
	return s, nil
}

// fill writes so many more zeros, a multiple of BlockSize, or as many as there is room for.
func (s *scratch) fill(n int64) error {
	for end := min(s.size, s.filled+n); s.filled < end; {
		chunk := s.zeros[:min(end-s.filled, int64(len(s.zeros)))]
		if err := writeAll(s.file, chunk, s.filled); err != nil {
			return err
		}
		s.filled += int64(len(chunk))
	}
	return nil
}

func (s *scratch) full() bool { return s.filled == s.size }

// finish makes it durable and gives it its name, which is durable after SyncDir. Without room, it must be full of zeros:
// writes would fail later that are to fail now.
func (s *scratch) finish(name string) error {
	if !s.room {
		if err := s.fill(s.size); err != nil {
			return err
		}
	}
	if err := s.file.Sync(); err != nil {
		return err
	}
	if err := s.fs.Rename(s.name, name); err != nil {
		return err
	}
	return s.file.Close()
}

// discard removes it: half a file keeps a full disk full.
func (s *scratch) discard() {
	_ = s.file.Close() // perhaps it is closed; nothing in it is of use
	_ = s.fs.Remove(s.name)
}
