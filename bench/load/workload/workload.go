// Package workload is what operations are: which one comes where in a session, on which key, with which value. It is a function
// of the place and a seed, and of what precedes it for compare-and-sets alone. It knows neither time nor connections, nor what
// has been answered beyond what it is told.
package workload

import (
	"encoding/binary"

	"paxosbench/bench/load/draw"
	"paxosbench/bench/target"
	"paxosbench/wire"
)

// Workload is what operations are. It is a pure function of the operation's place: asked twice for the same
// operation, it gives the same answer. One workload serves one thread.
type Workload struct {
	cfg     *Config
	seed    uint64
	tag     uint16 // of the run, in every value
	first   uint64 // number of the thread's first session among those of the generator
	space   keySpace
	picker  Picker
	only    wire.Op // if the mix has one operation only, else 0
	table   [mixBlock]wire.Op
	plans   []plan // by session
	values  values
	keyPad  []byte        // what follows the key's number
	expect  *expectations // nil: the mix has no compare-and-sets
	scratch [2][]byte     // values of a compare-and-set, or one to compare with
	key     []byte        // its key
}

// Operation is what is asked of the state machine.
type Operation struct {
	Op  wire.Op
	Key uint64
}

// New makes the workload of the thread whose sessions begin with number first of cfg's own. Pickers with large
// tables are shared by threads.
func New(cfg *Config, p Picker, tag uint16, first, sessions int) *Workload {
	w := &Workload{
		cfg:    cfg,
		seed:   cfg.word(draw.Workload),
		tag:    tag,
		first:  uint64(first),
		space:  cfg.keySpace(),
		picker: p,
		table:  cfg.Mix.table(),
		plans:  make([]plan, sessions),
		values: values{seed: cfg.word(draw.Sizes), sizes: cfg.ValueSize, random: 1 / cfg.CompressRatio},
		keyPad: make([]byte, max(0, int(cfg.KeySize)-8)),
	}
	w.only, _ = cfg.Mix.only()
	if cfg.Mix.Share(wire.OpCompareAndSet) > 0 {
		w.expect = newExpectations(w.space.keys, sessions)
	}
	for session := range sessions {
		if cfg.Preload {
			w.Insert(session, Preload, 0, w.Owned(session))
		}
	}
	return w
}

// Operation returns operation n of a session of this thread.
func (w *Workload) Operation(session int, n target.Number) Operation {
	p := &w.plans[session]
	if uint64(n) > p.end {
		return w.mixed(session, p.mixed+uint64(n)-p.end-1)
	}
	return w.planned(session, uint64(n))
}

// Keys returns the number of keys, of all generators.
func (w *Workload) Keys() uint64 { return w.space.keys }

// mixed returns operation n, from 0, of those that the mix gives to a session of this thread.
func (w *Workload) mixed(session int, n uint64) Operation {
	if w.cfg.Mix.modify {
		return w.modified(session, n)
	}
	at := site{session: w.first + uint64(session), number: n, op: w.only}
	at.random = draw.Hash(w.seed ^ at.session<<40 ^ n)
	if at.op == 0 {
		at.block = n / mixBlock
		at.rank = shuffle(int(n%mixBlock), draw.Hash(w.seed+at.session<<32+at.block))
		at.op = w.table[at.rank]
	}
	return Operation{Op: at.op, Key: w.picker.pick(at)}
}

// modified is mixed for reads and read-modify-writes, one of each kind in three commands, in an order that chance decides.
func (w *Workload) modified(session int, n uint64) Operation {
	unit, step := n/3, n%3
	at := site{session: w.first + uint64(session), number: unit, op: wire.OpGet}
	random := draw.Hash(w.seed ^ at.session<<40 ^ unit)
	if random&1 == 1 {
		step = (step + 1) % 3 // the read comes last
	}
	at.random = draw.Hash(random + min(step, 1))
	key := w.picker.pick(at)
	return Operation{Op: [...]wire.Op{wire.OpGet, wire.OpGet, wire.OpPut}[step], Key: key}
}

// shuffle permutes the ranks of a block: three rounds of a multiplication and a shift, each a bijection of ten bits, again and
// again until the result is a rank.
func shuffle(i int, random uint64) int {
	const mask = 1<<10 - 1
	x := uint64(i)
	for {
		for r := random; r > mask; r >>= 20 {
			x = (x*(r|1) + r>>10) & mask
			x ^= x >> 5
		}
		if x < mixBlock {
			return int(x)
		}
	}
}

const _ = uint(1<<10 - mixBlock)

// Effective returns unanswered operation n of a session of this thread as it was sent, and for a compare-and-set what
// it compares with. One that has nothing to compare with is sent as a put.
func (w *Workload) Effective(session int, n target.Number) (Operation, ValueID) {
	o := w.Operation(session, n)
	if o.Op != wire.OpCompareAndSet {
		return o, Unknown
	}
	expected := w.expected(session, n)
	if expected == Unknown {
		o.Op = wire.OpPut
	}
	return o, expected
}

// AppendCommand appends encoded operation n of a session whose commands up to answered are answered; fresh tells that it
// was not sent before.
func (w *Workload) AppendCommand(dst []byte, session int, n, answered target.Number, fresh bool) []byte {
	id := w.ValueID(session, n)
	o := w.Operation(session, n)
	if w.expect != nil && fresh {
		w.expect.send(session, n, answered, o, id)
	}
	switch o.Op {
	case wire.OpPut:
		return w.appendPut(dst, o.Key, id)
	case wire.OpCompareAndSet:
		if expected := w.expected(session, n); expected != Unknown {
			return w.appendCompareAndSet(dst, o.Key, expected, id)
		}
		return w.appendPut(dst, o.Key, id)
	}
	dst = wire.AppendCommandHeader(dst, o.Op, 0, int(w.cfg.KeySize), 0)
	return w.appendKey(dst, o.Key)
}

func (w *Workload) appendPut(dst []byte, key uint64, id ValueID) []byte {
	size := w.values.size(id)
	dst = wire.AppendCommandHeader(dst, wire.OpPut, 0, int(w.cfg.KeySize), size)
	dst = w.appendKey(dst, key)
	return w.values.append(dst, id, size)
}

func (w *Workload) appendCompareAndSet(dst []byte, key uint64, expected, id ValueID) []byte {
	flags := uint8(wire.FlagExpectAbsent)
	old := w.scratch[0][:0]
	if expected != Absent {
		flags = 0
		old = w.values.append(old, expected, w.values.size(expected))
	}
	update := w.values.append(w.scratch[1][:0], id, w.values.size(id))
	keyBytes := w.appendKey(w.key[:0], key)
	w.scratch, w.key = [2][]byte{old, update}, keyBytes
	return wire.AppendCompareAndSet(dst, flags, keyBytes, old, update)
}

func (w *Workload) appendKey(dst []byte, key uint64) []byte {
	if w.cfg.KeySize >= 8 {
		dst = binary.LittleEndian.AppendUint64(dst, key)
		return append(dst, w.keyPad...)
	}
	for range w.cfg.KeySize {
		dst = append(dst, byte(key))
		key >>= 8
	}
	return dst
}

// ValueID names the value that operation n of a session of this thread writes.
func (w *Workload) ValueID(session int, n target.Number) ValueID {
	return makeValueID(w.tag, w.first+uint64(session), uint64(n))
}
