package machine

import (
	"encoding/binary"
	"errors"

	"paxosbench/wire"
)

// A snapshot is a sequence of items in the layout of commands: a header, the sessions, the machine's records as puts,
// and an end. Their operations are out of the range of those that clients may send.
const (
	itemHeader  wire.Op = 0x80
	itemSession wire.Op = 0x81
	itemRecord          = wire.OpPut
	itemEnd     wire.Op = 0x82
)

// MaxItem is the size of the largest item of a snapshot in bytes: how far Snapshot.Next may exceed its limit.
const MaxItem = wire.MaxCommand

// ErrSnapshot is returned, wrapped, for bytes that are not a whole snapshot of a kind and version known here.
var ErrSnapshot = errors.New("machine: bad snapshot, fetch it anew")

func putRecordHeader(dst []byte, h recordHeader) { binary.LittleEndian.PutUint64(dst, uint64(h)) }

// itemQueue holds encoded items in the order in which they were pushed. It is made of chunks, because a single slice
// would stop the replica whenever it grew.
type itemQueue struct {
	chunks [][]byte // all but the last have something to be popped
	read   int      // bytes of the first chunk that have been popped
}

const itemChunkSize = 64 << 10

// room returns the chunk to which the caller may append an item of the given size, and must with put.
func (q *itemQueue) room(size int) []byte {
	if n := len(q.chunks); n > 0 && cap(q.chunks[n-1])-len(q.chunks[n-1]) >= size {
		return q.chunks[n-1]
	}
	if q.empty() {
		q.chunks = q.chunks[:0]
	}
	q.chunks = append(q.chunks, make([]byte, 0, max(size, itemChunkSize)))
	return q.chunks[len(q.chunks)-1]
}

func (q *itemQueue) put(chunk []byte) { q.chunks[len(q.chunks)-1] = chunk }

// push appends a record, and returns what stands there now of key and value.
func (q *itemQueue) push(key, value []byte) []byte {
	size := wire.CommandHeaderSize + len(key) + len(value)
	chunk := wire.AppendCommand(q.room(size), itemRecord, 0, key, value)
	q.put(chunk)
	return chunk[len(chunk)-len(key)-len(value):]
}

// pop moves bytes from the front of the queue to dst until dst has reached limit bytes. It may cut an item in two; the
// rest of it is what the next pop begins with. The last chunk is kept: items are mostly popped soon after they came.
func (q *itemQueue) pop(dst []byte, limit int) []byte {
	for !q.empty() && len(dst) < limit {
		rest := q.chunks[0][q.read:]
		n := min(len(rest), limit-len(dst))
		dst = append(dst, rest[:n]...)
		q.read += n
		if n == len(rest) {
			q.shift()
		}
	}
	return dst
}

// shift has done with the first chunk.
func (q *itemQueue) shift() {
	q.read = 0
	if len(q.chunks) == 1 {
		q.chunks[0] = q.chunks[0][:0]
		return
	}
	q.chunks[0] = nil
	q.chunks = q.chunks[1:]
}

func (q *itemQueue) empty() bool {
	return len(q.chunks) == 0 || len(q.chunks) == 1 && len(q.chunks[0]) == 0
}
