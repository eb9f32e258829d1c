package journal

import (
	"errors"
	"io"
)

// window is how recovery looks at segments: at the speed of the disk and in bounded memory, whatever size a file claims to have.
// It moves over a file from the beginning to the end. While one piece is looked at the next is being read, by a goroutine, so
// that a start takes as long as the longer of reading and applying, and not as long as both.
type window struct {
	file File
	name string
	size int64 // of the file, whole blocks only: a group never ends elsewhere

	view []byte // of the file, from at on, in seen
	at   int64

	seen, next []byte       // each has room for a piece, and before it, up to left, for what is left of the one before
	room, left int64        // multiples of BlockSize
	ahead      chan reading // of what follows the view, into next; nil: nothing is being read
}

// reading is how the reading of a piece has ended.
type reading struct {
	n   int
	err error
}

const (
	// pieceBytes is how much is read at a time. Whoever counts what is read of the files sees a slow disk get on.
	pieceBytes = 1 << 20

	// leftBytes is the most that is left of a piece: less than the largest record, from the block it begins in, and the block
	// before, which may be looked back at.
	leftBytes = (maxRecordSize + 3*BlockSize) &^ (BlockSize - 1)
)

// open turns the window to another file, which stays the caller's until close.
func (w *window) open(f File, name string) error {
	size, err := f.Size()
	if err != nil {
		return unreadable(name, 0, err)
	}
	w.file, w.name, w.size, w.at = f, name, size&^(BlockSize-1), 0
	w.left = min(leftBytes, w.size)
	if room := w.left + min(pieceBytes, w.size); room > w.room {
		w.room, w.seen, w.next = room, nil, nil
	}
	return nil
}

// close waits until nothing is read of the file any more.
func (w *window) close() {
	if w.ahead != nil {
		<-w.ahead
	}
	w.ahead, w.view = nil, nil
}

// bytes returns n bytes at off, a view valid until the next call, or nil if the file ends before. n is at most maxRecordSize. Who
// goes back by more than a block has it read again.
func (w *window) bytes(off int64, n int) ([]byte, error) {
	if off+int64(n) > w.size {
		return nil, nil
	}
	if off < w.at || off > w.end() {
		w.close()
		w.at = off &^ (BlockSize - 1)
	}
	for off+int64(n) > w.end() {
		if err := w.move(off); err != nil {
			return nil, err
		}
	}
	i := off - w.at
	return w.view[i : i+int64(n)], nil
}

// end returns where in the file the view ends.
func (w *window) end() int64 { return w.at + int64(len(w.view)) }

// move adds the next piece to the view, and lets go of what is more than a block before off.
func (w *window) move(off int64) error {
	read := w.take()
	if read.err != nil {
		return read.err
	}
	left := w.view[max(0, off&^(BlockSize-1)-BlockSize-w.at):]
	w.at = w.end() - int64(len(left))
	from := int(w.left) - len(left)
	copy(w.next[from:], left)
	w.view = w.next[from : int(w.left)+read.n]
	w.seen, w.next = w.next, w.seen
	if w.end() < w.size {
		w.readAhead()
	}
	return nil
}

// take returns how the next piece has been read, into next.
func (w *window) take() (r reading) {
	if w.ahead == nil {
		return readPiece(w.file, w.name, w.piece(), w.end())
	}
	r, w.ahead = <-w.ahead, nil
	return r
}

// readAhead has the next piece read meanwhile.
func (w *window) readAhead() {
	f, name, piece, at, ahead := w.file, w.name, w.piece(), w.end(), make(chan reading, 1)
	go func() { ahead <- readPiece(f, name, piece, at) }()
	w.ahead = ahead
}

// piece returns the memory that the next piece is read into.
func (w *window) piece() []byte {
	if w.next == nil {
		w.next = alignedBytes(int(w.room))
	}
	return w.next[w.left:][:min(pieceBytes, w.size-w.end())]
}

func readPiece(f File, name string, piece []byte, at int64) reading {
	n, err := f.ReadAt(piece, at)
	if n < len(piece) {
		return reading{err: unreadable(name, at, errors.Join(err, io.ErrUnexpectedEOF))}
	}
	return reading{n: n}
}
