package load

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"paxosbench/bench/record"
)

// A host that limits a machine's processor time stops all of it, disk included, and need not call that steal time. What
// sleeps then is woken late, and not because it had to wait for a processor: the interrupt of its timer came late.
//
// So now and then somebody looks whether the machine runs, by a nap that ought to end there and then. A look wakes threads, and costs
// some hundred microseconds in a virtual machine, so there are only twenty a second: enough for the share of time in which the machine
// stands still, which is the share of looks that find it so. They come at random, as hosts count by periods.

const (
	leastRest = 25 * time.Millisecond // between two looks
	moreRest  = 40 * time.Millisecond // at most, at random
	napLength = 5 * time.Millisecond
	lateStep  = 100 * time.Microsecond // how finely the timer counts by how much a nap was too long
	leastStop = time.Millisecond       // below it a machine may just have had its interrupts off
)

// stops is how many looks found that the machine stood still.
type stops struct {
	looks, count int
	longest      time.Duration // from a look on: the stop may have begun before
}

// add judges a look by how late its nap ended, and how much of that the thread was awake and waited for a processor.
func (s *stops) add(late, waited time.Duration) {
	s.looks++
	if stopped := late - waited; stopped > leastStop {
		s.count++
		s.longest = max(s.longest, stopped)
	}
}

// describe puts the looks of a measurement into the description of its host. A nil s is of a machine that could not be watched,
// of which nothing is said.
func (s *stops) describe(host *record.Host) {
	if s == nil || s.looks == 0 {
		return
	}
	host.Looks, host.Stops, host.LongestStopNs = s.looks, s.count, int64(s.longest)
	host.StoppedPercent = 100 * float64(s.count) / float64(s.looks)
}

// sleeper is who looks.
type sleeper struct {
	over  context.CancelFunc
	ended chan struct{}
	found *stops // nil: the kernel does not tell what it takes; not to be read before ended
}

// watchStops begins to look at the given time. It must be ended.
func watchStops(from time.Time) *sleeper {
	ctx, over := context.WithCancel(context.Background())
	s := &sleeper{over: over, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		b, err := newBed()
		if err != nil {
			return
		}
		defer b.close()
		s.found = watch(ctx, time.Until(from), b.nap)
	}()
	return s
}

// watch looks until it is over, after a first rest. It returns nil if it cannot be known how the naps were.
func watch(ctx context.Context, rest time.Duration, nap func() (late, waited time.Duration, err error)) *stops {
	var found stops
	alarm := time.NewTimer(rest)
	defer alarm.Stop()
	for {
		select {
		case <-ctx.Done():
			return &found
		case <-alarm.C:
		}
		late, waited, err := nap()
		if err != nil {
			return nil
		}
		found.add(late, waited)
		alarm.Reset(leastRest + rand.N(moreRest))
	}
}

// end ends the watch and returns what it has seen, nil if it could see nothing. It waits for the nap under way to end.
func (s *sleeper) end() *stops {
	s.over()
	<-s.ended
	return s.found
}

// bed is what naps need. They do not allocate.
type bed struct {
	timer  int // file descriptor
	alarm  unix.ItimerSpec
	thread int // the one that had the last nap
	stat   int // file descriptor of its figures
	buffer [64]byte
}

// newBed makes a bed. The error says that the kernel lacks something.
func newBed() (*bed, error) {
	timer, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	b := &bed{timer: timer, stat: -1, alarm: unix.ItimerSpec{
		Value: unix.NsecToTimespec(int64(napLength)), Interval: unix.NsecToTimespec(int64(lateStep)),
	}}
	if _, _, err := b.nap(); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bed) close() {
	unix.Close(b.timer)
	unix.Close(b.stat)
}

// nap sleeps once. It returns by how much that was too long, rounded down to lateStep, and how long the thread has waited for a
// processor meanwhile. The kernel itself takes the time, as soon as the thread runs again: until this function
// has its turn the Go runtime may have made it wait for others, of which the kernel knows nothing.
func (b *bed) nap() (late, waited time.Duration, err error) {
	runtime.LockOSThread() // the kernel counts by threads how long they wait
	defer runtime.UnlockOSThread()
	before, err := b.waited()
	if err != nil {
		return 0, 0, err
	}
	if err := unix.TimerfdSettime(b.timer, 0, &b.alarm, nil); err != nil {
		return 0, 0, err
	}
	n, err := unix.Read(b.timer, b.buffer[:])
	for errors.Is(err, unix.EINTR) {
		n, err = unix.Read(b.timer, b.buffer[:])
	}
	if err != nil || n != 8 {
		return 0, 0, errors.Join(err, errNoTime)
	}
	// The first expiration is the one that was awaited.
	late = time.Duration(binary.NativeEndian.Uint64(b.buffer[:])-1) * lateStep
	after, err := b.waited()
	return late, after - before, err
}

var errNoTime = errors.New("the kernel does not tell how long a thread has slept, or waited for a processor")

// waited returns for how long this thread has waited for a processor so far.
func (b *bed) waited() (time.Duration, error) {
	if thread := unix.Gettid(); thread != b.thread {
		unix.Close(b.stat)
		var err error
		if b.stat, err = unix.Open("/proc/thread-self/schedstat", unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
			return 0, err
		}
		b.thread = thread
	}
	n, err := unix.Pread(b.stat, b.buffer[:], 0)
	if err != nil {
		return 0, err
	}
	waited, ok := parseSchedstat(b.buffer[:n])
	if !ok {
		return 0, errNoTime
	}
	return waited, nil
}

// parseSchedstat returns the second of three numbers: for how long a thread has had a processor, and has waited for one, in
// nanoseconds, and how often it got one. It is false if they are not there, or the last is 0: a kernel that does not keep
// these figures has zeros instead.
func parseSchedstat(text []byte) (waited time.Duration, ok bool) {
	var numbers [3]int64
	field, digits := 0, 0
	for _, c := range text {
		switch {
		case field < len(numbers) && c >= '0' && c <= '9':
			numbers[field] = 10*numbers[field] + int64(c-'0')
			digits++
		case digits > 0 && (c == ' ' || c == '\n'):
			field, digits = field+1, 0
		default:
			return 0, false
		}
	}
	return time.Duration(numbers[1]), numbers[2] > 0
}
