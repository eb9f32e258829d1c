package machine

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"paxosbench/wire"
)

// fragmentOf returns a fragment of one run of a session.
func fragmentOf(count int, commands []byte) []byte {
	return append(wire.AppendRunHeader(nil, 7, 1, 0, count, len(commands)), commands...)
}

// fragmentAlike is fragmentOf for commands that are alike, without their headers.
func fragmentAlike(count int, commands []byte) []byte {
	return wire.EndRunAlike(append(wire.BeginRun(nil), commands...), 0, 7, 1, 0, count)
}

func TestCheckQuery(t *testing.T) {
	get := wire.AppendCommand(nil, wire.OpGet, 0, []byte("key"), nil)
	longGet := wire.AppendCommand(nil, wire.OpGet, 0, []byte("key of 16 bytes."), nil)
	put := wire.AppendCommand(nil, wire.OpPut, 0, []byte("key"), []byte("value"))
	register := append(wire.AppendRunHeader(nil, 0, 1, 0, 1, wire.CommandHeaderSize), wire.AppendCommand(nil, wire.OpRegister, 0, nil, nil)...)
	two := append(fragmentOf(1, get), fragmentOf(2, append(get, get...))...)
	for name, test := range map[string]struct {
		fragment []byte
		ok       bool
	}{
		"empty": {nil, true}, "gets": {two, true},
		"a put": {fragmentOf(1, put), false}, "a put behind a get": {fragmentOf(2, append(get, put...)), false},
		"gets alike": {fragmentAlike(2, append(longGet, longGet...)), true}, "puts alike": {fragmentAlike(2, append(put, put...)), false},
		"a put in the second run": {append(fragmentOf(1, get), fragmentOf(1, put)...), false}, "a registration": {register, false},
	} {
		if _, err := wire.DecodeFragment(test.fragment); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := CheckQuery(test.fragment); (err == nil) != test.ok || err != nil && !errors.Is(err, wire.ErrField) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// filled returns a state with records of random lengths under the even keys below 200.
func filled(t testing.TB, rng *rand.Rand) *State {
	s := NewState(NewKV(HashKey{}), DefaultConfig())
	session := openSession(s)
	var commands []byte
	for key := uint64(0); key < 200; key += 2 {
		commands = wire.AppendCommand(commands, wire.OpPut, 0, binary.LittleEndian.AppendUint64(nil, key), make([]byte, rng.IntN(100)))
	}
	run, _, err := wire.DecodeRun(append(wire.AppendRunHeader(nil, session, 1, 0, 100, len(commands)), commands...))
	if err != nil {
		t.Fatal(err)
	}
	slot := s.Applied() + 1
	s.ApplyRun(slot, &run, nil, false)
	s.EndBatch(slot, 0)
	return s
}

// TestQueryRunAgainstQuery answers random runs piece by piece, and compares with one get at a time.
func TestQueryRunAgainstQuery(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	s := filled(t, rng)
	digest := s.Digest()
	for i := range 200 {
		count := 1 + rng.IntN(40)
		var commands []byte
		var want []wire.Result
		for range count {
			key := binary.LittleEndian.AppendUint64(nil, rng.Uint64N(200))
			commands = wire.AppendCommand(commands, wire.OpGet, 0, key, nil)
			status, value := s.Query(wire.Command{Op: wire.OpGet, Key: key}, nil)
			want = append(want, wire.Result{Status: status, Value: value})
		}
		fragment := fragmentOf
		if i%2 == 0 {
			fragment = fragmentAlike
		}
		run, _, err := wire.DecodeRun(fragment(count, commands))
		if err != nil {
			t.Fatal(err)
		}
		for limit := 1 + rng.IntN(600); run.Count > 0; {
			first, left, room := run.First, run.Count, rng.IntN(1000)
			out := s.QueryRun(&run, nil, Limits{Begin: limit, End: room})
			if run.Count == left { // no room for the first value
				if want[0].Value == nil || len(out) != 0 || room >= wire.ReplyRunHeaderSize+wire.ResultHeaderSize+len(want[0].Value) {
					t.Fatalf("no answer in %d bytes of room, but %d bytes; the first value has %d", room, len(out), len(want[0].Value))
				}
				continue
			}
			reply, n, err := wire.DecodeReplyRun(out)
			if values := len(reply.Results) - reply.Count*wire.ResultHeaderSize; values > 0 && n > room+reply.Count*wire.ResultHeaderSize {
				t.Fatalf("%d bytes with values in %d bytes of room", n, room)
			}
			if err != nil || reply.First != first || reply.Count != left-run.Count || reply.Session != 7 || n > limit+wire.ResultHeaderSize+200 {
				t.Fatalf("reply %+v of %d bytes to %d gets from %d on, %d left: %v", reply, n, left, first, run.Count, err)
			}
			want = compareResults(t, &reply, want)
		}
	}
	if s.Digest() != digest {
		t.Error("queries have changed the state's digest")
	}
}

// compareResults compares a reply with the first results wanted and returns the others.
func compareResults(t *testing.T, reply *wire.ReplyRun, want []wire.Result) []wire.Result {
	t.Helper()
	rest := reply.Results
	for range reply.Count {
		got := wire.Result{Status: reply.Status}
		if !reply.Uniform {
			var n int
			var err error
			if got, n, err = wire.DecodeResult(rest); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if got.Status != want[0].Status || string(got.Value) != string(want[0].Value) {
			t.Fatalf("result %v, want %v", got, want[0])
		}
		want = want[1:]
	}
	return want
}

func TestQueryRunDoesNotAllocate(t *testing.T) {
	s := filled(t, rand.New(rand.NewPCG(5, 6)))
	var commands []byte
	for key := range uint64(100) {
		commands = wire.AppendCommand(commands, wire.OpGet, 0, binary.LittleEndian.AppendUint64(nil, key), nil)
	}
	fragment := fragmentOf(100, commands)
	dst := make([]byte, 0, 1<<16)
	if allocs := testing.AllocsPerRun(100, func() {
		run, _, _ := wire.DecodeRun(fragment)
		dst = s.QueryRun(&run, dst[:0], Limits{Begin: 1 << 20, End: 1 << 20})
	}); allocs != 0 {
		t.Errorf("%v allocations for 100 gets", allocs)
	}
}

// A get for whose value there is no room is executed all the same: its answer says BUSY, and asking again brings the value. So it
// is with one that is asked again. What has no value is answered as ever.
func TestGetWithoutRoom(t *testing.T) {
	s := NewState(NewKV(HashKey{}), DefaultConfig())
	id := openSession(s)
	key, value := []byte("key"), make([]byte, 1000)
	commands := wire.AppendCommand(nil, wire.OpPut, 0, key, value)
	commands = wire.AppendCommand(commands, wire.OpGet, 0, key, nil)
	commands = wire.AppendCommand(commands, wire.OpGet, 0, []byte("none"), nil)
	commands = wire.AppendCommand(commands, wire.OpGet, 0, key, nil)
	roomy := wire.ReplyRunHeaderSize + 4*wire.ResultHeaderSize + len(value)
	for i, tt := range []struct {
		room int
		want []wire.Status
	}{
		{100, []wire.Status{wire.StatusOK, wire.StatusBusy, wire.StatusNotFound, wire.StatusBusy}},
		{roomy, []wire.Status{wire.StatusOK, wire.StatusOK, wire.StatusNotFound, wire.StatusBusy}}, // these were all executed before
		{2 * roomy, []wire.Status{wire.StatusOK, wire.StatusOK, wire.StatusNotFound, wire.StatusOK}},
	} {
		run := wire.Run{Session: id, First: 1, Count: 4, Commands: commands}
		results := flatten(t, s.ApplyPart(s.Applied()+1, &run, nil, true, Limits{Begin: 1 << 20, End: tt.room}))
		s.EndBatch(s.Applied()+1, 0)
		var got []wire.Status
		for _, result := range results {
			got = append(got, result.Status)
		}
		if !slices.Equal(got, tt.want) || s.Stats().Executed != 4 {
			t.Errorf("attempt %d, room for %d bytes: %v, want %v; %d commands executed", i+1, tt.room, got, tt.want, s.Stats().Executed)
		}
	}
}
