package journal

import "io"

// FS is what the journal needs of a file system. It is a seam: OSFS is the real one, package memfs a simulated one
// that loses, tears and damages what was not synced. Names are paths. An error for a file that does not exist must
// satisfy errors.Is(err, fs.ErrNotExist). All methods may be called from several goroutines.
type FS interface {
	// MkdirAll makes a directory and its parents, if missing.
	MkdirAll(dir string) error
	// List returns the names (not paths) of the files in a directory, in any order.
	List(dir string) ([]string, error)
	// Open opens a file.
	Open(name string, flags OpenFlags) (File, error)
	// Rename gives a file another name, at once replacing what had that name. Durable after SyncDir.
	Rename(from, to string) error
	// Remove removes a file. Durable after SyncDir.
	Remove(name string) error
	// SyncDir makes creations, renames and removals in a directory durable.
	SyncDir(dir string) error
	// Lock takes an exclusive lock named by a file, held until it is closed or the process ends. If another holder
	// exists it fails at once with an error that names it as well as it can.
	Lock(name string) (io.Closer, error)
}

// File is an open file.
type File interface {
	io.ReaderAt
	io.WriterAt
	// Allocate makes an empty file so many bytes long, all of them zeros, and takes the room for them. A file system that
	// cannot returns an error that satisfies errors.Is(err, errors.ErrUnsupported), and leaves the file as it is.
	Allocate(size int64) error
	// Sync makes the contents written so far durable, and the length (fdatasync).
	Sync() error
	// Size returns the length of the file in bytes.
	Size() (int64, error)
	io.Closer
}

// OpenFlags say how a file is opened. Zero means for reading only.
type OpenFlags uint8

// Open flags.
const (
	OpenWrite  OpenFlags = 1 << 0 // for reading and writing
	OpenCreate OpenFlags = 1 << 1 // create it if missing, empty it if not; implies OpenWrite
	// OpenDirect asks for transfers that bypass the page cache. Memory, offset and length of every transfer are then
	// multiples of BlockSize. A file system that cannot do it opens the file without.
	OpenDirect OpenFlags = 1 << 2
)
