package netem

import (
	"net"
	"sync"
	"time"
)

// line is one direction of one connection: a ring of bytes under way. One goroutine reads into it, another writes from
// it when the bytes are due. Positions count bytes from the beginning; the ring holds those from head to tail.
type line struct {
	direction *Direction
	done      <-chan struct{}
	ring      []byte

	mu         sync.Mutex
	changed    sync.Cond
	head, tail int
	marks      []mark
	ended      bool // by either goroutine, or by the proxy
}

// mark says when the bytes up to a position are due.
type mark struct {
	end int
	due time.Duration
}

const (
	// maxMarks bounds the marks of a line, and with them the pieces that are under way at a time.
	maxMarks = 1 << 14
	// grain is how close in time two pieces may be to share a mark.
	grain = 20 * time.Microsecond
)

func newLine(d *Direction, done <-chan struct{}) *line {
	l := &line{direction: d, done: done, ring: make([]byte, d.buffer())}
	l.changed.L = &l.mu
	return l
}

// carry forwards until either end is closed. What was read before src ended still arrives.
func (l *line) carry(dst, src net.Conn) {
	var both sync.WaitGroup
	both.Go(func() {
		l.fill(src)
		l.end()
	})
	l.drain(dst)
	l.end()
	_ = dst.Close() // each direction closes both: replicas do not use half of a connection
	_ = src.Close()
	both.Wait()
}

func (l *line) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.changed.Broadcast()
}

// fill reads into the ring as long as there is room.
func (l *line) fill(src net.Conn) {
	for {
		room := l.room()
		if len(room) == 0 {
			return
		}
		n, err := src.Read(room)
		if n > 0 {
			l.add(n)
		}
		if err != nil {
			return
		}
	}
}

// room waits for free space and returns a stretch of it, none if the line has ended.
func (l *line) room() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.ended && (l.tail-l.head == len(l.ring) || len(l.marks) == maxMarks) {
		l.changed.Wait()
	}
	if l.ended {
		return nil
	}
	from := l.tail % len(l.ring)
	return l.ring[from:min(len(l.ring), from+len(l.ring)-(l.tail-l.head), from+piece)]
}

// piece is the most that is read at a time: at a low rate, what arrives with the last byte of a piece has waited.
const piece = 64 << 10

// add makes n bytes that were read part of the line.
func (l *line) add(n int) {
	due := l.direction.due(n)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail += n
	if last := len(l.marks) - 1; last >= 0 && due-l.marks[last].due < grain {
		l.marks[last].end = l.tail // up to grain early
		return
	}
	l.marks = append(l.marks, mark{l.tail, due})
	l.changed.Broadcast()
}

// drain writes the bytes that are due.
func (l *line) drain(dst net.Conn) {
	for {
		due, ok := l.next()
		if !ok {
			return
		}
		l.direction.sleepUntil(due, l.done)
		first, second := l.arrived()
		if !l.direction.pass(l.done, first) {
			return
		}
		if !write(dst, first) || !write(dst, second) {
			return
		}
		l.free(len(first) + len(second))
	}
}

// next waits for bytes and returns when the first of them are due; it is false when the line has ended and is empty, or
// the proxy is closed.
func (l *line) next() (time.Duration, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.marks) == 0 && !l.ended {
		l.changed.Wait()
	}
	if len(l.marks) == 0 {
		return 0, false
	}
	return l.marks[0].due, true
}

// arrived takes the marks that are due, and returns their bytes, in two pieces where the ring ends. They stay in place
// until free.
func (l *line) arrived() (first, second []byte) {
	now := l.direction.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	taken, end := 0, l.head
	for taken < len(l.marks) && l.marks[taken].due <= now {
		end = l.marks[taken].end
		taken++
	}
	l.marks = l.marks[:copy(l.marks, l.marks[taken:])]
	from, n := l.head%len(l.ring), end-l.head
	if from+n <= len(l.ring) {
		return l.ring[from : from+n], nil
	}
	return l.ring[from:], l.ring[:from+n-len(l.ring)]
}

func (l *line) free(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.head += n
	l.changed.Broadcast()
}

// write reports whether all bytes were written.
func write(dst net.Conn, b []byte) bool {
	if len(b) == 0 {
		return true
	}
	_, err := dst.Write(b)
	return err == nil
}
