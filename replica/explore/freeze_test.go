package explore

import (
	"bytes"
	"reflect"
	"slices"
	"testing"
	"time"
	"unsafe"

	"paxosbench/replica/paxos"
	"paxosbench/wire"
)

// aLeader returns a core in whose state there is much to copy: a leader with slots in flight.
func aLeader(t *testing.T) *paxos.Core {
	t.Helper()
	s := newSearch(Scope{Name: "test", Replicas: 3, Ballots: ballots("1.1"), Slots: 4, Rounds: 3, Begin: []Move{Elect(1, 2), Put(1), Put(1)}}.normal(), Limits{})
	if !s.begin() {
		t.Fatal(s.report.Violation)
	}
	core := s.replicas[0].locals[s.prefix[len(s.prefix)-1][0]].core
	if slots, _ := core.InFlight(); slots != 2 {
		t.Fatalf("%d slots in flight", slots)
	}
	return core
}

// A clone is the same, and stays it whatever happens to the other.
func TestCloneIsApart(t *testing.T) {
	core := aLeader(t)
	before := appendCore(nil, core)
	other := clone(core)
	if !bytes.Equal(before, appendCore(nil, other)) {
		t.Fatal("a clone differs from what it was cloned from")
	}
	ages(reflect.ValueOf(other).Elem(), map[unsafe.Pointer]bool{})
	if !bytes.Equal(before, appendCore(nil, core)) {
		t.Fatal("what is changed in a clone has changed what it was cloned from")
	}
}

// ages changes every number that can be reached from a value, but for what clones have in common.
func ages(v reflect.Value, seen map[unsafe.Pointer]bool) {
	v = reflect.NewAt(v.Type(), v.Addr().UnsafePointer()).Elem()
	if slices.Contains(assigned, v.Type()) || slices.Contains(spent, v.Type()) {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() && !seen[v.UnsafePointer()] {
			seen[v.UnsafePointer()] = true
			ages(v.Elem(), seen)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			ages(v.Field(i), seen)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			ages(v.Index(i), seen)
		}
	case reflect.Map:
		v.Clear()
	case reflect.Bool:
		v.SetBool(!v.Bool())
	default:
		if v.CanInt() {
			v.SetInt(v.Int() + 1)
		} else {
			v.SetUint(v.Uint() + 1)
		}
	}
}

// Every field of the core is in its encoding, but for those that are left out by name. That the names are those of fields is checked
// where they are looked up.
func TestEveryFieldIsEncoded(t *testing.T) {
	core := aLeader(t)
	typ := reflect.TypeFor[paxos.Core]()
	for i := range typ.NumField() {
		f := typ.Field(i)
		changed := clone(core)
		v := reflect.NewAt(f.Type, unsafe.Add(unsafe.Pointer(changed), f.Offset)).Elem()
		if f.Name == "now" || !change(v) {
			continue // what times are relative to; or a struct, whose fields are encoded by the same code
		}
		same := bytes.Equal(appendCore(nil, core), appendCore(nil, changed))
		if isLeft := slices.Contains(left["paxos.Core"], f.Name); same != isLeft {
			t.Errorf("a change of Core.%s leaves the encoding the same: %v; left out by name: %v", f.Name, same, isLeft)
		}
	}
}

// change changes a value that is a number.
func change(v reflect.Value) bool {
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		v.SetInt(1 - min(v.Int(), 1)) // long ago, where it was never, and the other way round
	case v.Kind() == reflect.Bool:
		v.SetBool(!v.Bool())
	case v.CanUint():
		v.SetUint(v.Uint() + 1)
	default:
		return false
	}
	return true
}

// Two cores that have come to the same by other ways, at other times, are one.
func TestEncodingForgetsTheWay(t *testing.T) {
	scope := Scope{Replicas: 3, Quorum1: 2, Quorum2: 2}
	var got [][]byte
	for _, start := range []time.Duration{birth, 2 * birth} {
		core := paxos.New(scope.config(1, int(start/birth)), start)
		for range int(start / birth) {
			m := wire.NewHeartbeat(wire.MakeBallot(1, 2), 1, 0, 0)
			m.From, m.To = 2, 1
			core.Step(start+time.Second, &m)
			core.Ready()
		}
		got = append(got, appendCore(nil, core))
	}
	if !bytes.Equal(got[0], got[1]) {
		t.Errorf("%x\n%x", got[0], got[1])
	}
}
