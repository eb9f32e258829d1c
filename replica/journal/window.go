package journal

import (
	"errors"
	"io"
)

// window reads a file in large aligned pieces. It is how recovery looks at segments, at the speed of the disk and in
// bounded memory, whatever size a file claims to have.
type window struct {
	file File
	name string
	size int64 // of the file, whole blocks only: a group never ends elsewhere
	buf  []byte
	have int   // valid bytes in buf
	at   int64 // offset of buf in the file
}

// windowBytes must hold the largest record wherever in a block it begins.
const windowBytes = 8 << 20

const _ uint = windowBytes - (maxRecordSize + BlockSize)

// open turns the window to another file, which stays the caller's.
func (w *window) open(f File, name string) error {
	size, err := f.Size()
	if err != nil {
		return unreadable(name, 0, err)
	}
	w.file, w.name, w.size, w.have, w.at = f, name, size&^(BlockSize-1), 0, 0
	if n := int(min(w.size, windowBytes)); len(w.buf) < n {
		w.buf = alignedBytes(n)
	}
	return nil
}

// bytes returns n bytes at off, a view valid until the next call, or nil if the file ends before.
// n is at most maxRecordSize.
func (w *window) bytes(off int64, n int) ([]byte, error) {
	if off+int64(n) > w.size {
		return nil, nil
	}
	if off < w.at || off+int64(n) > w.at+int64(w.have) {
		if err := w.fill(off &^ (BlockSize - 1)); err != nil {
			return nil, err
		}
	}
	i := off - w.at
	return w.buf[i : i+int64(n)], nil
}

// fill reads from at on as much as the window holds. It does so in pieces, so that whoever counts what is read of the files
// sees a slow disk get on.
func (w *window) fill(at int64) error {
	want := int(min(int64(len(w.buf)), w.size-at))
	w.at, w.have = at, 0
	for w.have < want {
		piece := w.buf[w.have:min(want, w.have+pieceBytes)]
		n, err := w.file.ReadAt(piece, at+int64(w.have))
		if n < len(piece) {
			return unreadable(w.name, at+int64(w.have), errors.Join(err, io.ErrUnexpectedEOF))
		}
		w.have += n
	}
	return nil
}

const pieceBytes = 1 << 20
