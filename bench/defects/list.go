package main

// defect is one way in which replicas can be wrong: all of them, so that they agree with each other.
type defect struct {
	name string
	what string
	// body is what a store does before it executes an operation, in Go; it may return an answer of its own. It has w, the
	// wrong store, and the operation's op, flags, key and value.
	body  string
	edits []edit   // beside the store
	args  []string // of the load, beside the addresses
}

// edit replaces a piece of text in a file of the replica.
type edit struct{ file, old, new string }

// wrongStore is a store that misbehaves, as a file of package machine. What a defect does goes where %s stands. Nothing is
// prepared, because what is executed is not what was announced.
const wrongStore = `package machine

import "paxosbench/wire"

type wrong struct {
	*KV
	puts, gets, swaps uint64
	last              map[string][]byte
	other             []byte
	held              []byte // a put that waits for the next one
	heldKey           []byte
	undo              []struct{ key, value []byte; found bool }
}

var theWrong *wrong

func newWrong() *wrong {
	theWrong = &wrong{KV: NewKV(HashKey{}), last: make(map[string][]byte)}
	return theWrong
}

func (w *wrong) Prepare([]byte, uint64, int, bool)             {}
func (w *wrong) ApplyPuts([]byte, uint64, int) (done, size int) { return 0, 0 }

func (w *wrong) read(key []byte) (value []byte, found bool) {
	status, value := w.KV.Apply(wire.OpGet, 0, key, nil)
	return append([]byte(nil), value...), status == wire.StatusOK
}

func (w *wrong) loseWrites() {
	for i := len(w.undo) - 1; i >= 0; i-- {
		if u := w.undo[i]; u.found {
			w.KV.Apply(wire.OpPut, 0, u.key, u.value)
		}
	}
	w.undo = nil
}

func (w *wrong) Apply(op wire.Op, flags uint8, key, value []byte) (wire.Status, []byte) {
	%s
	return w.KV.Apply(op, flags, key, value)
}
`

// storeFile is where the wrong store goes, and useStore has it used.
const storeFile = "replica/machine/wrong.go"

var useStore = edit{"replica/machine/machine.go", "return NewKV(key)\n", "return newWrong()\n"}

var defects = []defect{
	{name: "put-dropped", what: "one put in a million is answered and not done", body: `
	if op == wire.OpPut {
		if w.puts++; w.puts%1_000_000 == 0 {
			return wire.StatusOK, nil
		}
	}`},
	{name: "get-stale", what: "one get in a hundred thousand finds what it found the time before", body: `
	if op == wire.OpGet {
		now, found := w.read(key)
		before := w.last[string(key)]
		if w.last[string(key)] = now; found && before != nil {
			if w.gets++; w.gets%100_000 == 0 {
				return wire.StatusOK, before
			}
		}
	}`},
	{name: "get-other-key", what: "one get in a hundred thousand finds the value of another key", body: `
	if op == wire.OpGet {
		if w.gets++; w.gets%100_000 == 0 && w.other != nil {
			return wire.StatusOK, w.other
		}
		w.other, _ = w.read(key)
	}`},
	{name: "get-not-found", what: "one get in a hundred thousand does not find the key", body: `
	if op == wire.OpGet {
		if w.gets++; w.gets%100_000 == 0 {
			return wire.StatusNotFound, nil
		}
	}`},
	{name: "get-one-bit", what: "one get in a hundred thousand finds a value with a bit flipped", body: `
	if op == wire.OpGet {
		if w.gets++; w.gets%100_000 == 0 {
			if value, found := w.read(key); found {
				value[len(value)/2] ^= 4
				return wire.StatusOK, value
			}
		}
	}`},
	{name: "applied-twice", what: "a command that is sent again is applied again", edits: []edit{{"replica/machine/run.go",
		"\tif a.quiet {\n\t\ts.stats.Duplicates += uint64(n)\n",
		"\tfor i, at := 0, 0; i < n; i++ {\n\t\top, flags, key, value, end := part.commandAt(at)\n\t\tif at = end; op != wire.OpGet {\n" +
			"\t\t\ts.machine.Apply(op, flags, key, value)\n\t\t}\n\t}\n\tif a.quiet {\n\t\ts.stats.Duplicates += uint64(n)\n"}}},
	{name: "swapped", what: "one put in ten thousand changes places with the command after it", body: `
	if w.held != nil && op != wire.OpGet {
		defer func(key, value []byte) { w.KV.Apply(wire.OpPut, 0, key, value) }(w.heldKey, w.held)
		w.held = nil
	} else if op == wire.OpPut {
		if w.swaps++; w.swaps%10_000 == 0 {
			w.heldKey, w.held = append([]byte(nil), key...), append([]byte{}, value...)
			return wire.StatusOK, nil
		}
	}`},
	{name: "cas-mismatch", what: "every compare-and-set is answered mismatch and not done", body: `
	if op == wire.OpCompareAndSet {
		return wire.StatusMismatch, nil
	}`},
	{name: "cas-anyway", what: "a compare-and-set is done whether it matches or not", body: `
	if op == wire.OpCompareAndSet {
		_, update := wire.SplitCompareAndSet(value)
		return w.KV.Apply(wire.OpPut, 0, key, update)
	}`},
	{name: "writes-lost", what: "the last writes are lost when the leader changes", body: `
	if op != wire.OpGet {
		if len(w.undo) == 16 {
			w.undo = w.undo[1:]
		}
		before, found := w.read(key)
		w.undo = append(w.undo, struct{ key, value []byte; found bool }{append([]byte(nil), key...), before, found})
	}`,
		// A new leader begins with an empty batch.
		edits: []edit{{"replica/machine/state.go", "\ts.applied = slot\n\ts.inBatch = false\n",
			"\tif !s.inBatch && theWrong != nil {\n\t\ttheWrong.loseWrites()\n\t}\n\ts.applied = slot\n\ts.inBatch = false\n"}},
		args: []string{"--at", "5s kill leader"}},
	{name: "none", what: "nothing is wrong"},
}
