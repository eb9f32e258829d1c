package pipeline

import (
	"testing"
	"time"

	"paxosbench/wire"
)

// path is a synthetic server: it serves one slot at a time, each in the service time, and the answer is under way
// for the round trip. It answers in order.
type path struct {
	service   time.Duration
	roundTrip time.Duration
	busyUntil time.Duration
	answers   []time.Duration // when the answers of the slots in flight arrive
}

func (p *path) send(now time.Duration) {
	p.busyUntil = max(p.busyUntil, now) + p.service
	p.answers = append(p.answers, p.busyUntil+p.roundTrip)
}

// saturate keeps the window full until the given time and returns the least and the largest depth of the second half
// (probes apart) and the slots decided in it.
func saturate(w *Window, p *path, now, until time.Duration) (least, largest, decided int) {
	half := now + (until-now)/2
	least = MaxDepth
	for now < until {
		for w.HasRoom() {
			w.Open(1, 1, now)
			p.send(now)
		}
		now, p.answers = p.answers[0], p.answers[1:]
		slot := w.Frontier() + 1
		w.Ack(1, w.ballot, slot, slot)
		w.Advance(now)
		if now > half {
			decided++
			least, largest = min(least, w.vegas.depth), max(largest, w.vegas.depth)
		}
	}
	return least, largest, decided
}

func adaptive(limit int) *Window {
	return New(Config{Depth: Depth{Adaptive: true, N: limit}, MaxBytes: 1 << 20, Quorum: 1})
}

// The depth settles where the server is never idle and at most beta slots queue (one more while the depth moves), and
// it stays there: over 60 s, twelve horizons, it does not creep.
func TestDepthSettlesByThePath(t *testing.T) {
	const service = time.Millisecond
	for _, roundTrip := range []time.Duration{0, service / 2, 4 * service, 20 * service, 100 * service} {
		w := adaptive(MaxDepth)
		p := &path{service: service, roundTrip: roundTrip}
		enough := 1 + int((roundTrip+service-1)/service) // slots that keep the server busy
		least, largest, decided := saturate(w, p, 0, time.Minute)
		if least < enough || largest > enough+beta+1 {
			t.Errorf("round trip %v: depth %d..%d, the path holds %d", roundTrip, least, largest, enough)
		}
		if possible := int(30 * time.Second / service); decided < possible*9/10 {
			t.Errorf("round trip %v: %d slots decided, the server can do %d", roundTrip, decided, possible)
		}
	}
}

func TestDepthFollowsAPathThatChanges(t *testing.T) {
	w := adaptive(MaxDepth)
	p := &path{service: time.Millisecond, roundTrip: 50 * time.Millisecond}
	saturate(w, p, 0, 30*time.Second)
	p.roundTrip = 0
	if least, largest, _ := saturate(w, p, p.busyUntil+50*time.Millisecond, 90*time.Second); least < 1 || largest > 1+beta+1 {
		t.Fatalf("depth %d..%d on a path that holds 1", least, largest)
	}
	p.roundTrip = 50 * time.Millisecond
	if least, largest, _ := saturate(w, p, p.busyUntil, 150*time.Second); least < 51 || largest > 51+beta+1 {
		t.Fatalf("depth %d..%d on a path that holds 51", least, largest)
	}
}

func TestDepthStaysWithinItsLimit(t *testing.T) {
	for _, limit := range []int{1, 2, 7} {
		w := adaptive(limit)
		if w.Depth() > 2 {
			t.Errorf("starts at depth %d", w.Depth())
		}
		p := &path{service: time.Millisecond, roundTrip: time.Second}
		if least, largest, _ := saturate(w, p, 0, time.Minute); least != limit || largest != limit {
			t.Errorf("limit %d: depth %d..%d on a path that holds 1001", limit, least, largest)
		}
	}
}

// Where it is not the depth that holds the proposer back, a deeper window would change nothing.
func TestDepthDoesNotGrowUnused(t *testing.T) {
	w := adaptive(MaxDepth)
	w.Reset(1, 1)
	w.Open(1, 1, 0)
	w.Open(1, 1, 0) // full, this once
	w.Ack(1, 1, 1, 2)
	w.Advance(time.Microsecond)
	for now := time.Millisecond; now < time.Minute; now += time.Millisecond {
		slot := w.Open(1, 1, now)
		w.Ack(1, 1, slot, slot)
		w.Advance(now + time.Microsecond)
	}
	if w.vegas.depth != vegasStart {
		t.Fatalf("depth %d, and one slot at a time was in flight", w.vegas.depth)
	}
}

// A probe ends with the first slot that has travelled alone, and only then.
func TestProbeMeasuresTheEmptyPath(t *testing.T) {
	w := adaptive(8)
	w.Reset(1, 1)
	now := time.Hour
	first, second := w.Open(1, 1, now), w.Open(1, 1, now)
	decide := func(slot wire.Slot) { w.Ack(1, 1, slot, slot); w.Advance(now) }
	now += time.Millisecond
	decide(first) // the first decision begins a horizon
	if w.Depth() != 1 || w.HasRoom() {
		t.Fatalf("depth %d, room %v in a probe with a slot in flight", w.Depth(), w.HasRoom())
	}
	now += time.Millisecond
	decide(second)
	if w.Depth() != 1 || !w.HasRoom() {
		t.Fatalf("depth %d, room %v in a probe with nothing in flight", w.Depth(), w.HasRoom())
	}
	alone := w.Open(1, 1, now)
	now += 30 * time.Microsecond
	decide(alone)
	if w.Depth() != vegasStart || w.vegas.base != 30*time.Microsecond {
		t.Fatalf("depth %d, base %v after the probe", w.Depth(), w.vegas.base)
	}
}

// A full batch gains nothing by waiting: only the bounds hold it back, and probes.
func TestFullBatchesPassTheDepth(t *testing.T) {
	w := New(Config{Depth: Depth{Adaptive: true, N: 100}, MaxBytes: 50, Quorum: 1})
	w.Reset(1, 1)
	now := time.Hour
	for w.HasRoomForFull() {
		w.Open(1, 1, now)
	}
	if slots, _ := w.InFlight(); slots != 50 || w.HasRoom() {
		t.Fatalf("%d slots of 1 byte in flight with room for 50 bytes, room for more that may grow: %v", slots, w.HasRoom())
	}
	w.Ack(1, 1, 1, 1)
	w.Advance(now + time.Millisecond) // begins a horizon, and its probe
	if w.HasRoomForFull() {
		t.Fatal("a full batch would disturb the probe")
	}
	fixed := New(Config{Depth: Depth{N: 2}, MaxBytes: 50, Quorum: 1})
	fixed.Open(1, 1, now)
	fixed.Open(1, 1, now)
	if fixed.HasRoomForFull() {
		t.Fatal("a fixed depth is a bound for full batches, too")
	}
}

// As many slots as may queue leave at once, and a batch that may grow keeps its distance from the one before it once the path
// has been measured. Fixed windows have no such distance.
func TestSlotsKeepTheirDistance(t *testing.T) {
	const base, depth = 8 * time.Millisecond, 16
	w := adaptive(depth)
	w.Reset(1, 1)
	now := time.Hour
	for range depth {
		if w.Paced(now) {
			t.Fatal("paced by a path that nothing has measured")
		}
		w.Open(1, 1, now)
	}
	w.Ack(1, 1, 1, depth)
	w.Advance(now + time.Second) // begins a horizon
	now += 2 * time.Second
	slot := w.Open(1, 1, now)
	w.Ack(1, 1, slot, slot)
	now += base
	w.Advance(now) // ends its probe
	w.vegas.depth = depth
	for range beta + 1 {
		if w.Paced(now) {
			t.Fatalf("paced with %d slots in flight", w.slots())
		}
		w.Open(1, 1, now)
	}
	if early := now + base/depth - 1; !w.Paced(now) || !w.Paced(early) || w.Paced(early+1) {
		t.Fatalf("paced %v, %v and %v with %d slots in flight, at once and after nearly and just %v",
			w.Paced(now), w.Paced(early), w.Paced(early+1), w.slots(), base/depth)
	}
	if !w.HasRoom() || !w.HasRoomForFull() {
		t.Fatal("no room: what is paced is only to wait")
	}
	fixed := New(Config{Depth: Depth{N: depth}, MaxBytes: 50, Quorum: 1})
	for range depth - 1 {
		fixed.Open(1, 1, now)
	}
	if fixed.Paced(now) {
		t.Fatal("a fixed window is paced")
	}
}

// Commands that come all the time, at half of what the path takes, wait for a small part of the round trip. Where slots
// leave whenever there is room they soon all leave in one burst, and the next one after a round trip, with all that has
// come meanwhile: 31 ms in this model. Probes are let alone.
func TestRoomComesSteadily(t *testing.T) {
	const roundTrip, tick, arrivals = 20 * time.Millisecond, 100 * time.Microsecond, 10
	w := adaptive(MaxDepth)
	p := &path{roundTrip: roundTrip}
	waiting, leftAt, longest := 0, time.Duration(0), time.Duration(0)
	for now := time.Duration(0); now < 30*time.Second; now += tick {
		for len(p.answers) > 0 && p.answers[0] <= now {
			p.answers = p.answers[1:]
			slot := w.Frontier() + 1
			w.Ack(1, w.ballot, slot, slot)
			w.Advance(now)
		}
		waiting += arrivals
		if w.HasRoom() && !w.Paced(now) {
			w.Open(1, waiting, now)
			p.service = 20*time.Microsecond + time.Duration(waiting)*5*time.Microsecond
			p.send(now)
			waiting, leftAt = 0, now
		}
		if now > 10*time.Second && now-w.vegas.horizonFrom > horizon/2 {
			longest = max(longest, now-leftAt)
		}
	}
	if w.vegas.depth < 10 || longest > roundTrip/10 {
		t.Fatalf("no slot left for %v, at a depth of %d and a round trip of %v", longest, w.vegas.depth, roundTrip)
	}
}

// Decisions without a measurable latency must not confuse the arithmetic.
func TestDepthWithoutLatency(t *testing.T) {
	w := adaptive(8)
	for range 1000 {
		lo := w.Next()
		for w.HasRoom() {
			w.Open(1, 1, 0)
		}
		w.Ack(1, 0, lo, w.Next())
		w.Advance(0)
	}
	if w.Depth() != 8 {
		t.Fatalf("depth %d, nothing queues", w.Depth())
	}
}
