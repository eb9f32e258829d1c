package transport

import (
	"context"
	"math"
	"runtime"
	"time"
	"unsafe"

	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"golang.org/x/sys/unix"
)

// gnet tells nobody when an iteration of its loop ends, so what ends one is a task that the first connection posts. Between two such iterations
// gnet writes to a descriptor, asks its poller twice more and lets another thread take over: more system calls than a follower has to make
// for a batch. So the task stays, and iterates by itself: it asks gnet's poller, reads, and makes the round. Connections stay gnet's. What is not
// bytes to be read or room to write (that one is new, has ended or is broken) is left for gnet, by returning: what nobody has seen to is
// reported again.

// maxReady is how many connections an iteration serves.
const maxReady = 1024

// stay is the task that ends an iteration of gnet's, and makes others until there is something for gnet.
func (t *Transport) stay(context.Context) error {
	t.due, t.inside = false, true
	t.endIteration()
	foreign := false
	for !foreign && t.visits.Load() == 0 {
		foreign = t.iterate()
	}
	t.inside = false
	if foreign || t.active {
		t.ring() // to come back; who visits rings when they leave
	}
	return nil
}

// iterate is an iteration. It reports whether there is something that gnet has to see to.
func (t *Transport) iterate() (foreign bool) {
	n, err := t.poll()
	if err != 0 {
		return err != unix.EINTR // gnet fails with it as well, and the loop ends
	}
	t.ReadClock()
	t.takeTurn()
	for _, event := range t.ready[:n] {
		foreign = t.serve(int(event.Fd), event.Events) || foreign
	}
	t.endIteration()
	return foreign
}

// poll waits until a connection is ready or the next tick is due, and returns how many are.
//
// Where the process is the replica's own, the scheduler does not hear of that. It would take the processor away and look for others to
// give it to, wake a thread for that, and watch the next waits every 20 microseconds (runtime.sysmon): where a thread wakes, the host pays more
// than for all that is done for a small batch. In other programs, and where the runtime has one processor only, somebody may need it.
func (t *Transport) poll() (n int, err unix.Errno) {
	call := unix.Syscall6
	if t.keeps {
		call = unix.RawSyscall6
	}
	ready, _, err := call(unix.SYS_EPOLL_PWAIT, uintptr(t.poller), uintptr(unsafe.Pointer(&t.ready)), maxReady, uintptr(t.wait()), 0, 0)
	if err != 0 {
		return 0, err
	}
	return int(ready), 0
}

// wait returns for how many milliseconds there is nothing to do if nothing comes.
func (t *Transport) wait() int {
	if t.active {
		return 0
	}
	return int(min(max(0, t.nextTick-t.now+time.Millisecond-1)/time.Millisecond, math.MaxInt32))
}

// longTurn is for how long the loop runs without asking the scheduler who else is to. After 10 ms it would be made to.
const longTurn = 5 * time.Millisecond

// takeTurn has the scheduler begin another turn of the loop's when the present one has become long.
func (t *Transport) takeTurn() {
	if t.now-t.turnBegan > longTurn {
		t.turnBegan = t.now
		runtime.Gosched()
	}
}

// serve does what the poller reports of a descriptor, unless that is for gnet.
func (t *Transport) serve(fd int, events uint32) (foreign bool) {
	end := t.ends.of(fd)
	if end == nil || events&^(netpoll.ReadEvents|unix.EPOLLOUT) != 0 {
		return true
	}
	c := end.base()
	if events&unix.EPOLLOUT != 0 {
		_ = c.raw.Flush() // an error has closed the connection
	}
	if events&netpoll.ReadEvents == 0 || !c.live() { // reading skips what is urgent
		return false
	}
	return t.readFrom(end, fd)
}

// readFrom reads what has come on a connection and takes it, unless that is for gnet. What is missing of a body goes to where that belongs.
func (t *Transport) readFrom(end endpoint, fd int) (foreign bool) {
	c := end.base()
	place, buffer := t.placesFor(c)
	n, err := t.readv(fd, place, buffer)
	if n == 0 {
		return err != unix.EAGAIN
	}
	c.inPlace = min(n, len(place))
	c.framer.placed(c.inPlace)
	t.arrivedOn(end, buffer[:n-c.inPlace])
	return false
}

// placesFor returns where to read to: the place of what is missing of a body, and the buffer for what comes behind it. Together they are less where
// many have much to be read, and the buffer holds hardly more than a header where a long body is going to follow.
func (t *Transport) placesFor(c *conn) (place, buffer []byte) {
	most := len(t.large)
	if t.turns.crowded {
		most = min(most, firstRead)
	}
	if c.records == nil {
		place = c.framer.rest()
		place = place[:min(len(place), most)]
	}
	buffer = t.large[:most-len(place)]
	if c.framer.expectsLong() {
		buffer = buffer[:min(len(buffer), shortRead)]
	}
	return place, buffer
}

// shortRead is how much is read where a header is expected. The rest of it is the beginning of the body, which is copied.
const shortRead = 2 << 10

// readv reads into two slices, of which the first may be empty. It returns 0 at the end, and with an error. It does not block, so the scheduler
// need not hear of it.
func (t *Transport) readv(fd int, first, second []byte) (int, unix.Errno) {
	t.iovecs[0].Base, t.iovecs[1].Base = unsafe.SliceData(first), unsafe.SliceData(second)
	t.iovecs[0].SetLen(len(first))
	t.iovecs[1].SetLen(len(second))
	n, _, err := unix.RawSyscall(unix.SYS_READV, uintptr(fd), uintptr(unsafe.Pointer(&t.iovecs)), uintptr(len(t.iovecs)))
	t.iovecs = [2]unix.Iovec{}
	if err != 0 {
		return 0, err
	}
	return int(n), 0
}

// endpoints are those of open connections, by descriptor.
type endpoints []endpoint

// of returns the endpoint of a descriptor, nil if there is none.
func (e endpoints) of(fd int) endpoint {
	if fd >= len(e) {
		return nil
	}
	return e[fd]
}

func (e *endpoints) set(fd int, end endpoint) {
	for fd >= len(*e) {
		*e = append(*e, nil)
	}
	(*e)[fd] = end
}

// visit does something that has gnet do a task on the loop: gnet has its loop back meanwhile. Any goroutine but the loop's may call it.
func (t *Transport) visit(f func() error) error {
	t.visits.Add(1)
	t.ring()
	defer t.ring()
	defer t.visits.Add(-1)
	return f()
}
