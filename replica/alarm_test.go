package replica

import (
	"slices"
	"testing"
	"time"

	"paxosbench/replica/transport"
	"paxosbench/wire"
)

// fakeTimer records what it is set to.
type fakeTimer struct{ sets []time.Duration }

func (f *fakeTimer) set(after time.Duration) { f.sets = append(f.sets, after) }

func TestAlarm(t *testing.T) {
	const us = time.Microsecond
	timer := &fakeTimer{}
	now := time.Duration(0)
	a := alarm{timer: timer, clock: func() time.Duration { return now }}
	round := func(at, read, deadline time.Duration, waits bool) {
		now = read
		a.watch(at, deadline, waits)
	}
	expect := func(why string, want ...time.Duration) {
		t.Helper()
		if !slices.Equal(timer.sets, want) {
			t.Errorf("%s: set to %v, want %v", why, timer.sets, want)
		}
		timer.sets = nil
	}
	round(10*us, 11*us, 0, false)
	expect("nothing waits")
	round(100*us, 120*us, 300*us, true)
	expect("a batch waits, and the round took a while", 180*us)
	round(200*us, 200*us, 300*us, true)
	expect("it is being waited for already")
	round(250*us, 250*us, 450*us, true)
	expect("that one has left, another waits; the first call back is in time for it")
	a.rang()
	round(301*us, 302*us, 450*us, true)
	expect("the next one", 148*us)
	a.rang()
	round(450*us, 451*us, 450*us, true)
	expect("due and still there: it waits for room, not for the time")
	round(500*us, 701*us, 700*us, true)
	expect("over before the timer could be set", -1*us)
	a.rang()
	if n := testing.AllocsPerRun(100, func() {
		round(1000*us, 1000*us, 2000*us, true)
		a.rang()
		timer.sets = timer.sets[:0]
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	a = alarm{}
	a.watch(0, 300*us, true) // nothing lingers: no timer
}

// The timer of the system calls back once for each time that it is set, also for a time that is over, and never early.
func TestSystemTimer(t *testing.T) {
	rings := make(chan time.Time, 10)
	timer, err := newSystemTimer(func() { rings <- time.Now() })
	if err != nil {
		t.Fatal(err)
	}
	defer timer.close()
	for _, after := range []time.Duration{200 * time.Microsecond, -time.Second, 0, 3 * time.Millisecond} {
		set := time.Now()
		timer.set(after)
		if rang := <-rings; rang.Sub(set) < after {
			t.Errorf("set to %v it rang after %v", after, rang.Sub(set))
		}
	}
	select {
	case <-rings:
		t.Error("it rang once more")
	case <-time.After(10 * time.Millisecond):
	}
}

// lingering is a Handler for which a batch is due again and again.
type lingering struct {
	transport.Handler
	t        *transport.Transport
	alarm    alarm
	linger   time.Duration
	deadline time.Duration
	late     []time.Duration
	want     int
	done     chan struct{}
}

// Tick implements transport.Handler.
func (l *lingering) Tick(time.Duration) {}

// Round implements transport.Handler: the batch leaves if it is due, and the next one begins to wait.
func (l *lingering) Round(now time.Duration) {
	if now >= l.deadline && len(l.late) < l.want {
		if l.deadline > 0 {
			l.late = append(l.late, now-l.deadline)
		}
		l.deadline = now + l.linger
		if len(l.late) == l.want {
			close(l.done)
		}
	}
	l.alarm.watch(now, l.deadline, len(l.late) < l.want)
}

// BenchmarkLinger shows how long after its linger a batch leaves, on a loop that has nothing else to do.
func BenchmarkLinger(b *testing.B) {
	l := &lingering{linger: 200 * time.Microsecond, want: b.N, done: make(chan struct{})}
	var err error
	if l.t, err = transport.New(transport.Config{Self: 1, ClientAddr: "127.0.0.1:0", Buffers: new(wire.Buffers)}, l); err != nil {
		b.Fatal(err)
	}
	timer, err := newSystemTimer(func() { l.t.Post(l.alarm.rang) })
	if err != nil {
		b.Fatal(err)
	}
	defer timer.close()
	l.alarm = alarm{timer: timer, clock: l.t.ReadClock}
	go func() { _ = l.t.Run(b.Context()) }() // ends with the benchmark
	<-l.done
	slices.Sort(l.late)
	for name, q := range map[string]float64{"p50": 0.5, "p90": 0.9, "p99": 0.99} {
		b.ReportMetric(float64(l.late[int(q*float64(len(l.late)-1))].Nanoseconds())/1e3, name+"-µs-late")
	}
	b.ReportMetric(0, "ns/op")
}
