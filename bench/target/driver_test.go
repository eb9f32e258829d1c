package target

import (
	"context"
	"errors"
	"testing"
	"time"

	"paxosbench/wire"
)

// scripted is a driver whose calls the test completes by hand.
type scripted struct {
	calls []*Call
	err   error
}

func (*scripted) Capabilities() Capabilities { return Capabilities{Get: true} }

func (s *scripted) Connect(context.Context) (Conn, error) { return s, nil }

func (s *scripted) Submit(calls []*Call) error {
	s.calls = append(s.calls, calls...)
	return s.err
}

func (*scripted) Close() error { return nil }

// tally is a sink that puts, and counts.
type tally struct{ ready, sent, answered, lost int }

func (*tally) AppendCommands(dst []byte, _ *Stream, _ Number, _, _ int) ([]byte, int) {
	return wire.AppendCommand(dst, wire.OpPut, 0, []byte("key"), []byte("value")), 1
}
func (t *tally) Sent(_ *Stream, _ Number, count int, _ time.Duration) { t.sent += count }
func (t *tally) Answered(_ *Stream, _ Number, count int, _ wire.Status, _ time.Duration) {
	t.answered += count
}
func (t *tally) Result(*Stream, Number, wire.Status, []byte, time.Duration) { t.answered++ }
func (t *tally) Lost(_ *Stream, _ Number, count int, _ time.Duration)       { t.lost += count }
func (t *tally) Ready(*Stream)                                              { t.ready++ }

// connectedLoop returns a loop of so many sessions on one connection, which is there.
func connectedLoop(t *testing.T, d Driver, sessions, window int) (Loop, *tally) {
	t.Helper()
	sink := &tally{}
	l, err := Of("scripted", d).Open(Options{Conns: 1, Sessions: sessions, Window: window, ConnectTimeout: time.Second, StallTimeout: time.Hour, Start: time.Now()}, sink)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	reopen(t, l)
	return l, sink
}

// reopen waits for the connection.
func reopen(t *testing.T, l Loop) {
	t.Helper()
	for range 2000 {
		if err := l.Poll(l.Now() + 10*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if l.Open() == 1 {
			return
		}
	}
	t.Fatal("not connected")
}

// The window bounds what is under way, and completed calls make room for those that wait; all of it is reported once.
func TestDriverWindow(t *testing.T) {
	d := &scripted{}
	l, sink := connectedLoop(t, d, 5, 2)
	sessions, _ := l.Streams()
	for _, s := range sessions {
		l.Assign(s, s.Room())
	}
	for done := 0; done < 5; done++ {
		l.Flush()
		if under := len(d.calls) - done; under != min(2, 5-done) {
			t.Fatalf("%d calls are under way after %d", under, done)
		}
		d.calls[done].Complete(OK, nil)
		if err := l.Poll(l.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if *sink != (tally{ready: 5, sent: 5, answered: 5}) || sessions[4].Room() != 1 {
		t.Errorf("%+v", sink)
	}
}

// What is completed after its connection was given up changes nothing, nor does a failure after the first.
func TestDriverLateCompletion(t *testing.T) {
	d := &scripted{}
	l, sink := connectedLoop(t, d, 2, 0)
	sessions, _ := l.Streams()
	l.Assign(sessions[0], 1)
	l.Assign(sessions[1], 1)
	l.Flush()
	d.calls[0].Fail(errors.New("cut off"))
	if err := l.Poll(l.Now()); err != nil {
		t.Fatal(err)
	}
	d.calls[1].Complete(OK, nil)
	d.calls[1].Fail(errors.New("cut off"))
	reopen(t, l)
	d.err = errors.New("cut off again")
	l.Assign(sessions[0], 1)
	l.Flush()
	if r := l.Report(); *sink != (tally{ready: 4, sent: 3, lost: 3}) || r.Counters.Disconnects != 2 || l.LastError() != d.err {
		t.Errorf("%+v, %+v, %v", sink, r.Counters, l.LastError())
	}
}

// An operation through a driver allocates nothing once its call is there.
func TestDriverDoesNotAllocate(t *testing.T) {
	d := &scripted{}
	l, sink := connectedLoop(t, d, 1, 0)
	sessions, _ := l.Streams()
	allocs := testing.AllocsPerRun(1000, func() {
		d.calls = d.calls[:0]
		l.Assign(sessions[0], 1)
		l.Flush()
		d.calls[0].Complete(OK, nil)
		l.Poll(l.Now())
	})
	if allocs != 0 || sink.answered < 1000 {
		t.Errorf("%v allocations, %d answered", allocs, sink.answered)
	}
}
