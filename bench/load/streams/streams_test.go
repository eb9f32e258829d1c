package streams

import (
	"testing"

	"pgregory.net/rapid"

	"paxosbench/bench/load/units"
	"paxosbench/bench/load/workload"
	"paxosbench/bench/target"
	"paxosbench/wire"
)

// newStreams returns the streams of two clients that no connection carries, and their workload.
func newStreams(t *testing.T, mix string) (*workload.Workload, Streams) {
	t.Helper()
	cfg := &workload.Config{Clients: 2, Keys: 50, KeySize: 8, ValueSize: workload.SmallValues, CompressRatio: 1, Preload: true, Seed: 1, Generator: units.GeneratorID{Of: 1}}
	if err := cfg.Mix.UnmarshalText([]byte(mix)); err != nil {
		t.Fatal(err)
	}
	var sessions, readers []*target.Stream
	for i := range 2 {
		sessions, readers = append(sessions, &target.Stream{Index: i}), append(readers, &target.Stream{Index: 2 + i})
	}
	work := workload.New(cfg, workload.NewPicker(cfg), 0xbeef, 0, 2)
	return work, New(work, sessions, readers)
}

// assign gives a client its next operations.
func (s *Streams) assign(session, count int) {
	gets := s.Next(session, count)
	s.All[session].Assigned += target.Number(count - gets)
	s.All[session+s.Clients()].Assigned += target.Number(gets)
}

// TestDealingMatchesLists deals operations out and compares with lists of what each stream should have got.
func TestDealingMatchesLists(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		work, s := newStreams(t, "put:0.3,get:0.6,delete:0.1")
		s.Deal()
		var lists [4][]target.Number
		var next [2]target.Number
		for range rapid.IntRange(1, 50).Draw(rt, "steps") {
			session, count := rapid.IntRange(0, 1).Draw(rt, "client"), rapid.IntRange(1, 40).Draw(rt, "count")
			s.assign(session, count)
			for range count {
				next[session]++
				stream := session
				if work.Operation(session, next[session]).Op == wire.OpGet {
					stream += 2
				}
				lists[stream] = append(lists[stream], next[session])
			}
		}
		for stream, list := range lists {
			if got := s.All[stream].Assigned; got != target.Number(len(list)) {
				rt.Fatalf("stream %d has %d operations, want %d", stream, got, len(list))
			}
			for i, want := range list {
				session, n := s.Operation(stream, target.Number(i+1))
				if session != stream%2 || n != want {
					rt.Fatalf("operation %d of stream %d is %d of client %d, want %d", i+1, stream, n, session, want)
				}
			}
		}
	})
}

// Progress speaks of commands, by the numbers that values carry.
func TestProgressOfDealtOperations(t *testing.T) {
	_, s := newStreams(t, "put:0.5,get:0.5")
	s.Deal()
	s.assign(0, 1000)
	puts := s.All[0].Assigned
	_, last := s.Operation(0, puts)
	_, first := s.Operation(0, 1)
	s.Sent(0, puts)
	s.Answered(0, 1)
	s.Sent(2, 3) // gets do not count
	s.Answered(2, 3)
	if p := s.Progress(0); p.SentUpTo() != last || p.AnsweredUpTo() != first || s.AnsweredUpTo(0) != first {
		t.Errorf("sent up to %d and answered up to %d, want %d and %d", p.SentUpTo(), p.AnsweredUpTo(), last, first)
	}
}
