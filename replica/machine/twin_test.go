package machine

import (
	"encoding/binary"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"paxosbench/wire"
)

// twin does what State does, in the most obvious way. Its replies are one result for each command.
type twin struct {
	limit      int
	maxWeight  int // of outcomes
	records    map[string]string
	places     []*twinSession // by place in the table
	registered uint64
	activity   []int // places, least recently active first
	applied    wire.Slot
}

type twinSession struct {
	id       wire.SessionID // 0: the place is vacant
	last     wire.Seq
	seen     wire.Seq
	outcomes map[wire.Seq]twinOutcome
}

type twinOutcome struct {
	op     wire.Op
	status wire.Status
}

type twinResult struct {
	Session wire.SessionID
	Seq     wire.Seq
	Status  wire.Status
	Value   string
}

// twinCommand is a command in a form that is easy to generate and to print.
type twinCommand struct {
	Op           wire.Op
	Key          string
	Value        string
	Expected     string // compare-and-set
	ExpectAbsent bool
}

type twinRun struct {
	Session  wire.SessionID
	First    wire.Seq
	Seen     wire.Seq
	Commands []twinCommand
}

func newTwin(limit int) *twin {
	return &twin{limit: limit, maxWeight: maxOutcomesWeight, records: map[string]string{}}
}

func (w *twin) clone() *twin {
	c := &twin{limit: w.limit, maxWeight: w.maxWeight, records: maps.Clone(w.records), registered: w.registered,
		activity: slices.Clone(w.activity), applied: w.applied}
	for _, s := range w.places {
		copied := *s
		copied.outcomes = maps.Clone(s.outcomes)
		c.places = append(c.places, &copied)
	}
	return c
}

func (w *twin) activate(place int) {
	if i := slices.Index(w.activity, place); i >= 0 {
		w.activity = slices.Delete(w.activity, i, i+1)
	}
	w.activity = append(w.activity, place)
}

func (w *twin) register(first wire.Seq) []twinResult {
	place := len(w.places)
	if i := slices.IndexFunc(w.activity, func(p int) bool { return w.places[p].id == 0 }); i >= 0 {
		place = w.activity[i]
	} else if place == w.limit {
		place = w.activity[0]
	} else {
		w.places = append(w.places, nil)
	}
	w.registered++
	w.places[place] = &twinSession{id: wire.MakeSessionID(w.registered, uint32(place)), outcomes: map[wire.Seq]twinOutcome{}}
	w.activate(place)
	value := binary.LittleEndian.AppendUint64(nil, uint64(w.places[place].id))
	return []twinResult{{Seq: first, Status: wire.StatusOK, Value: string(value)}}
}

// evict takes out the sessions whose outcomes weigh most, of several the least recently active, until all weigh no more than they may.
func (w *twin) evict(self int) {
	for {
		total, heaviest := 0, -1
		for _, place := range w.activity {
			weight := w.places[place].weight()
			total += weight
			if place != self && weight > 0 && (heaviest < 0 || weight > w.places[heaviest].weight()) {
				heaviest = place
			}
		}
		if total <= w.maxWeight || heaviest < 0 {
			return
		}
		w.places[heaviest] = &twinSession{outcomes: map[wire.Seq]twinOutcome{}}
	}
}

func (s *twinSession) weight() int {
	for _, o := range s.outcomes {
		if o.op == wire.OpGet || o.status != wire.StatusOK {
			size := 64
			for size < len(s.outcomes) {
				size *= 2
			}
			return size + outcomesBytes
		}
	}
	return 0
}

func (w *twin) apply(run twinRun) []twinResult {
	if run.Session == 0 {
		return w.register(run.First)
	}
	last := run.First + wire.Seq(len(run.Commands)) - 1
	place := int(run.Session.Index())
	if place >= len(w.places) || w.places[place].id != run.Session {
		return w.refuse(run, wire.StatusNoSession)
	}
	s := w.places[place]
	w.activate(place)
	defer w.evict(place)
	for s.seen < run.Seen && s.seen < s.last {
		s.seen++
		delete(s.outcomes, s.seen)
	}
	if run.First > s.last+1 {
		return w.refuse(run, wire.StatusGap)
	}
	if last > s.last && last > s.seen+wire.MaxSessionWindow {
		return w.refuse(run, wire.StatusBusy)
	}
	var results []twinResult
	for i, c := range run.Commands {
		seq := run.First + wire.Seq(i)
		status, value := w.command(s, seq, c)
		results = append(results, twinResult{run.Session, seq, status, value})
	}
	return results
}

func (w *twin) command(s *twinSession, seq wire.Seq, c twinCommand) (wire.Status, string) {
	if seq <= s.seen {
		return wire.StatusForgotten, ""
	}
	if seq <= s.last {
		before := s.outcomes[seq]
		switch {
		case before.op != wire.OpGet:
			return before.status, ""
		case c.Op == wire.OpGet:
			return w.execute(c)
		}
		return wire.StatusForgotten, ""
	}
	status, value := w.execute(c)
	s.last = seq
	s.outcomes[seq] = twinOutcome{c.Op, status}
	return status, value
}

func (w *twin) execute(c twinCommand) (wire.Status, string) {
	present, ok := w.records[c.Key]
	switch c.Op {
	case wire.OpPut:
		w.records[c.Key] = c.Value
	case wire.OpGet:
		if !ok {
			return wire.StatusNotFound, ""
		}
		return wire.StatusOK, present
	case wire.OpDelete:
		if !ok {
			return wire.StatusNotFound, ""
		}
		delete(w.records, c.Key)
	case wire.OpCompareAndSet:
		if c.ExpectAbsent && ok || !c.ExpectAbsent && (!ok || present != c.Expected) {
			return wire.StatusMismatch, ""
		}
		w.records[c.Key] = c.Value
	}
	return wire.StatusOK, ""
}

func (w *twin) refuse(run twinRun, status wire.Status) []twinResult {
	var results []twinResult
	for i := range run.Commands {
		results = append(results, twinResult{Session: run.Session, Seq: run.First + wire.Seq(i), Status: status})
	}
	return results
}

// encode returns the run as wire.DecodeRun would, of what a client sends that leaves out the headers of commands which are alike.
func (r twinRun) encode() *wire.Run {
	commands := wire.BeginRun(nil)
	for _, c := range r.Commands {
		switch {
		case c.Op != wire.OpCompareAndSet:
			commands = wire.AppendCommand(commands, c.Op, 0, []byte(c.Key), []byte(c.Value))
		case c.ExpectAbsent:
			commands = wire.AppendCompareAndSet(commands, wire.FlagExpectAbsent, []byte(c.Key), nil, []byte(c.Value))
		default:
			commands = wire.AppendCompareAndSet(commands, 0, []byte(c.Key), []byte(c.Expected), []byte(c.Value))
		}
	}
	run, _, err := wire.DecodeRun(wire.EndRunAlike(commands, 0, r.Session, r.First, r.Seen, len(r.Commands)))
	if err != nil {
		panic(err)
	}
	return &run
}

// flatten decodes reply runs into one result for each command.
func flatten(t require, src []byte) (results []twinResult) {
	t.Helper()
	for len(src) > 0 {
		run, n, err := wire.DecodeReplyRun(src)
		if err != nil {
			t.Fatalf("reply run: %v", err)
		}
		src = src[n:]
		for i := range run.Count {
			result := wire.Result{Status: run.Status}
			if !run.Uniform {
				var size int
				if result, size, err = wire.DecodeResult(run.Results); err != nil {
					t.Fatalf("result: %v", err)
				}
				run.Results = run.Results[size:]
			}
			seq := run.First + wire.Seq(i)
			results = append(results, twinResult{run.Session, seq, result.Status, string(result.Value)})
		}
		if len(run.Results) > 0 {
			t.Fatalf("%d bytes behind the last result", len(run.Results))
		}
	}
	return results
}

// maxWeights are bounds of what outcomes may weigh that evict, and one that does not.
var maxWeights = []int{0, 128, 300, 500, maxOutcomesWeight}

// newTwinned returns an empty state with the limits of the twin.
func newTwinned(w *twin) *State {
	s := NewState(NewKV(HashKey{}), Config{MaxSessions: uint32(w.limit)})
	s.sessions.outcomes.limit = w.maxWeight
	return s
}

// require is what testing.T and rapid.T have in common.
type require interface {
	Helper()
	Fatalf(format string, args ...any)
}

// generator draws runs that make sense, or just not, to a state like the twin's.
type generator struct {
	keys   []string
	values []string
}

func smallGenerator() generator {
	long := make([]byte, 300)
	return generator{
		keys:   []string{"", "a", "b", "eight888", "eight889", "sixteen-byte-key", string(long), string(long[:299])},
		values: []string{"", "x", "12345678", "87654321", string(long[:40]), string(long)},
	}
}

// command draws from rng and not from rapid, which takes a microsecond a draw.
func (g generator) command(rng *rand.Rand) twinCommand {
	pick := func(from []string) string { return from[rng.IntN(len(from))] }
	ops := []wire.Op{wire.OpPut, wire.OpPut, wire.OpGet, wire.OpDelete, wire.OpCompareAndSet}
	c := twinCommand{Op: ops[rng.IntN(len(ops))], Key: pick(g.keys)}
	switch c.Op {
	case wire.OpPut:
		c.Value = pick(g.values)
	case wire.OpCompareAndSet:
		c.Value = pick(g.values)
		if c.ExpectAbsent = rng.IntN(2) == 0; !c.ExpectAbsent {
			c.Expected = pick(g.values)
		}
	}
	return c
}

// run draws a run: mostly the next one of a session, else one that overlaps, leaves a gap, or names no session.
func (g generator) run(t *rapid.T, w *twin) twinRun {
	kind := rapid.IntRange(0, 19).Draw(t, "kind")
	if len(w.places) == 0 || kind == 0 {
		stamp := wire.AppendStamp(nil, wire.Stamp{Random: (w.registered + 1) << 20})
		return twinRun{First: 7, Commands: []twinCommand{{Op: wire.OpRegister, Value: string(stamp)}}}
	}
	place := rapid.IntRange(0, len(w.places)-1).Draw(t, "place")
	s := w.places[place]
	run := twinRun{Session: max(1, s.id), First: s.last + 1}
	switch {
	case kind <= 2: // any place and tag
		tag := rapid.Uint64Range(0, 3).Draw(t, "tag")
		run.Session = max(1, wire.MakeSessionID(tag, rapid.Uint32Range(0, 4).Draw(t, "index")))
	case kind <= 8:
		run.First = wire.Seq(rapid.Uint64Range(1, uint64(s.last)+1).Draw(t, "resent"))
	case kind == 9:
		run.First = s.last + wire.Seq(rapid.Uint64Range(2, 5).Draw(t, "gap"))
	}
	run.Seen = wire.Seq(rapid.Uint64Range(0, uint64(run.First)-1).Draw(t, "seen"))
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "commands"), 0))
	alike := rapid.Bool().Draw(t, "alike")
	for range rapid.IntRange(1, 70).Draw(t, "count") {
		c := g.command(rng)
		if alike && len(run.Commands) > 0 {
			c = like(run.Commands[0], c)
		}
		run.Commands = append(run.Commands, c)
	}
	return run
}

// like returns a command with the form of one and, as far as that has room, what the other says.
func like(form, c twinCommand) twinCommand {
	sized := func(s string, n int) string { return (s + strings.Repeat("-", n))[:n] }
	form.Key, form.Value = sized(c.Key, len(form.Key)), sized(c.Value, len(form.Value))
	return form
}

// compareRecords checks that the state holds exactly the twin's records.
func compareRecords(t require, s *State, records map[string]string) {
	t.Helper()
	if s.Len() != len(records) {
		t.Fatalf("%d records, want %d", s.Len(), len(records))
	}
	for key, want := range records {
		status, value := s.Query(wire.Command{Op: wire.OpGet, Key: []byte(key)}, nil)
		if status != wire.StatusOK || string(value) != want {
			t.Fatalf("key %q: %v %q, want %q", key, status, value, want)
		}
	}
}

func TestStateAgainstTwin(t *testing.T) {
	g := smallGenerator()
	rapid.Check(t, func(t *rapid.T) {
		w := newTwin(3)
		w.maxWeight = rapid.SampledFrom(maxWeights).Draw(t, "maxWeight")
		s, quiet := newTwinned(w), newTwinned(w)
		parts := newTwinned(w) // is given every run in parts
		for range rapid.IntRange(1, 30).Draw(t, "batches") {
			for range rapid.IntRange(0, 4).Draw(t, "runs") {
				run := g.run(t, w)
				encoded := run.encode()
				got, want := flatten(t, s.ApplyRun(s.Applied()+1, encoded, nil, true)), w.apply(run)
				if !slices.Equal(got, want) {
					t.Fatalf("run %+v\n got %+v\nwant %+v", run, got, want)
				}
				if got := flatten(t, applyInParts(t, parts, *encoded)); !slices.Equal(got, want) {
					t.Fatalf("in parts, run %+v\n got %+v\nwant %+v", run, got, want)
				}
				if out := quiet.ApplyRun(quiet.Applied()+1, encoded, nil, false); len(out) != 0 {
					t.Fatalf("%d bytes of reply that nobody wanted", len(out))
				}
			}
			s.EndBatch(s.Applied()+1, 1)
			quiet.EndBatch(quiet.Applied()+1, 1)
			parts.EndBatch(parts.Applied()+1, 1)
		}
		compareRecords(t, s, w.records)
		checkHeld(t, s)
		if s.Digest() != parts.Digest() || s.Stats() != parts.Stats() {
			t.Fatalf("whole and in parts: %+v\n%+v", s.Stats(), parts.Stats())
		}
		if s.Digest() != quiet.Digest() || s.Stats() != quiet.Stats() {
			t.Fatalf("with and without replies: %+v\n%+v", s.Stats(), quiet.Stats())
		}
	})
}

// applyInParts applies a run in parts of any size, and returns all replies.
func applyInParts(t *rapid.T, s *State, run wire.Run) (replies []byte) {
	for run.Count > 0 {
		limit := len(replies) + rapid.IntRange(0, 300).Draw(t, "limit")
		commands := rapid.IntRange(0, 20).Draw(t, "commands")
		before := run.Count
		if replies = s.ApplyPart(s.Applied()+1, &run, replies, true, Limits{Begin: limit, End: math.MaxInt, Commands: commands}); run.Count >= before {
			t.Fatalf("no command of %d was taken", before)
		}
	}
	return replies
}
