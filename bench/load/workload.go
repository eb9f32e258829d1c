package load

import (
	"encoding/binary"

	"paxosbench/bench/client"
	"paxosbench/wire"
)

// workload is what operations are. It is a pure function of the operation's place: asked twice for the same
// operation, it gives the same answer. One workload serves one thread.
type workload struct {
	cfg     *Config
	seed    uint64
	tag     uint16 // of the run, in every value
	first   uint64 // number of the thread's first session among those of the generator
	space   keySpace
	picker  picker
	only    wire.Op // if the mix has one operation only, else 0
	table   [mixBlock]wire.Op
	plans   []plan // by session
	values  values
	keyPad  []byte        // what follows the key's number
	expect  *expectations // nil: the mix has no compare-and-sets
	scratch [2][]byte     // values of a compare-and-set
	key     []byte        // its key
}

// operation is what is asked of the state machine.
type operation struct {
	op  wire.Op
	key uint64
}

// newWorkload makes the workload of the thread whose sessions begin with number first of cfg's own. Pickers with large
// tables are shared by threads.
func newWorkload(cfg *Config, p picker, tag uint16, first, sessions int) *workload {
	w := &workload{
		cfg:    cfg,
		seed:   cfg.random(randomWorkload),
		tag:    tag,
		first:  uint64(first),
		space:  cfg.keySpace(),
		picker: p,
		table:  cfg.Mix.table(),
		plans:  make([]plan, sessions),
		values: values{seed: cfg.random(randomSizes), sizes: cfg.ValueSize, random: 1 / cfg.CompressRatio},
		keyPad: make([]byte, max(0, int(cfg.KeySize)-8)),
	}
	w.only, _ = cfg.Mix.only()
	if cfg.Mix.share(wire.OpCompareAndSet) > 0 {
		w.expect = newExpectations(w.space.keys, sessions)
	}
	for session := range sessions {
		if cfg.Preload {
			w.insert(session, stretchPreload, 0, w.owned(session))
		}
	}
	return w
}

// operation returns operation n of a session of this thread.
func (w *workload) operation(session int, n client.Number) operation {
	p := &w.plans[session]
	if uint64(n) > p.end {
		return w.mixed(session, p.mixed+uint64(n)-p.end-1)
	}
	return w.planned(session, uint64(n))
}

// mixed returns operation n, from 0, of those that the mix gives to a session of this thread.
func (w *workload) mixed(session int, n uint64) operation {
	if w.cfg.Mix.modify {
		return w.modified(session, n)
	}
	at := site{session: w.first + uint64(session), number: n, op: w.only}
	at.random = hash(w.seed ^ at.session<<40 ^ n)
	if at.op == 0 {
		at.block = n / mixBlock
		at.rank = shuffle(int(n%mixBlock), hash(w.seed+at.session<<32+at.block))
		at.op = w.table[at.rank]
	}
	return operation{op: at.op, key: w.picker.pick(at)}
}

// modified is mixed for reads and read-modify-writes, one of each kind in three commands, in an order that chance decides.
func (w *workload) modified(session int, n uint64) operation {
	unit, step := n/3, n%3
	at := site{session: w.first + uint64(session), number: unit, op: wire.OpGet}
	random := hash(w.seed ^ at.session<<40 ^ unit)
	if random&1 == 1 {
		step = (step + 1) % 3 // the read comes last
	}
	at.random = hash(random + min(step, 1))
	key := w.picker.pick(at)
	return operation{op: [...]wire.Op{wire.OpGet, wire.OpGet, wire.OpPut}[step], key: key}
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

// effective returns unanswered operation n of a session of this thread as it was sent, and for a compare-and-set what
// it compares with. One that has nothing to compare with is sent as a put.
func (w *workload) effective(session int, n client.Number) (operation, valueID) {
	o := w.operation(session, n)
	if o.op != wire.OpCompareAndSet {
		return o, idUnknown
	}
	expected := w.expected(session, n)
	if expected == idUnknown {
		o.op = wire.OpPut
	}
	return o, expected
}

// appendCommand appends encoded operation n of a session whose commands up to answered are answered; fresh tells that it
// was not sent before.
func (w *workload) appendCommand(dst []byte, session int, n, answered client.Number, fresh bool) []byte {
	id := w.valueID(session, n)
	o := w.operation(session, n)
	if w.expect != nil && fresh {
		w.expect.send(session, n, answered, o, id)
	}
	switch o.op {
	case wire.OpPut:
		return w.appendPut(dst, o.key, id)
	case wire.OpCompareAndSet:
		if expected := w.expected(session, n); expected != idUnknown {
			return w.appendCompareAndSet(dst, o.key, expected, id)
		}
		return w.appendPut(dst, o.key, id)
	}
	dst = wire.AppendCommandHeader(dst, o.op, 0, int(w.cfg.KeySize), 0)
	return w.appendKey(dst, o.key)
}

func (w *workload) appendPut(dst []byte, key uint64, id valueID) []byte {
	size := w.values.size(id)
	dst = wire.AppendCommandHeader(dst, wire.OpPut, 0, int(w.cfg.KeySize), size)
	dst = w.appendKey(dst, key)
	return w.values.append(dst, id, size)
}

func (w *workload) appendCompareAndSet(dst []byte, key uint64, expected, id valueID) []byte {
	flags := uint8(wire.FlagExpectAbsent)
	old := w.scratch[0][:0]
	if expected != idAbsent {
		flags = 0
		old = w.values.append(old, expected, w.values.size(expected))
	}
	update := w.values.append(w.scratch[1][:0], id, w.values.size(id))
	keyBytes := w.appendKey(w.key[:0], key)
	w.scratch, w.key = [2][]byte{old, update}, keyBytes
	return wire.AppendCompareAndSet(dst, flags, keyBytes, old, update)
}

func (w *workload) appendKey(dst []byte, key uint64) []byte {
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

// valueID names the value that operation n of a session of this thread writes.
func (w *workload) valueID(session int, n client.Number) valueID {
	return makeValueID(w.tag, w.first+uint64(session), uint64(n))
}
