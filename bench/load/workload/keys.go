package workload

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"

	"paxosbench/bench/load/draw"
	"paxosbench/bench/load/units"
	"paxosbench/wire"
)

// KeyDist is how operations choose their keys.
//
//	uniform        every key alike
//	seq            one after the other
//	latest         writes go through the keys in order, reads favour those written last (Zipf, 0.99)
//	zipf:THETA     key r-1 has weight 1/r^THETA, 0 < THETA < 10
//	scattered:THETA  the same weights, given to keys all over the key space
//	hot:KEYS,OPS   the fraction OPS of the operations goes to the fraction KEYS of the keys
//	conflict:PCT   PCT percent of the operations go to one key, the others to keys of the session's own
//
// With uniform, seq and latest every key belongs to one session. No one else writes it, so the right answer to every
// read is known exactly. With the others sessions share keys, which is their point.
type KeyDist struct {
	kind distKind
	a, b float64 // parameters, in the order in which they are written
}

type distKind uint8

const (
	distUniform distKind = iota
	distSeq
	distLatest
	distZipf
	distScattered
	distHot
	distConflict
)

// dists describes the distributions; max holds the largest value of each parameter.
var dists = [...]struct {
	name string
	max  []float64
}{
	distUniform:   {"uniform", nil},
	distSeq:       {"seq", nil},
	distLatest:    {"latest", nil},
	distZipf:      {"zipf", []float64{10}},
	distScattered: {"scattered", []float64{10}},
	distHot:       {"hot", []float64{1, 1}},
	distConflict:  {"conflict", []float64{100}},
}

// UnmarshalText parses a distribution.
func (d *KeyDist) UnmarshalText(text []byte) error {
	name, rest, hasArgs := strings.Cut(string(text), ":")
	var args []string
	if hasArgs {
		args = strings.Split(rest, ",")
	}
	for kind, dist := range dists {
		if dist.name != name || len(dist.max) != len(args) {
			continue
		}
		values := [2]float64{}
		for i, arg := range args {
			v, err := units.ParseNumber(arg)
			if err != nil || v <= 0 || v > dist.max[i] {
				return fmt.Errorf("keys %q: parameter %q: want a number above 0 and up to %g", text, arg, dist.max[i])
			}
			values[i] = v
		}
		*d = KeyDist{kind: distKind(kind), a: values[0], b: values[1]}
		return nil
	}
	return fmt.Errorf("keys %q: want uniform, seq, latest, zipf:THETA, scattered:THETA, hot:KEYS,OPS or conflict:PCT", text)
}

// String renders the distribution in the form that UnmarshalText reads.
func (d KeyDist) String() string {
	dist := dists[d.kind]
	out := dist.name
	for i, v := range []float64{d.a, d.b}[:len(dist.max)] {
		out += string(":,"[i]) + strconv.FormatFloat(v, 'f', -1, 64)
	}
	return out
}

// MarshalText renders the distribution as String does.
func (d KeyDist) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Shared reports whether sessions write each other's keys.
func (d KeyDist) Shared() bool { return d.kind >= distZipf }

// site is where in the workload an operation stands: all that its key may depend on.
type site struct {
	session uint64 // among the sessions of the generator
	number  uint64 // of the operation within its session, from 0
	random  uint64
	op      wire.Op
	// block is number / mixBlock, and rank the operation's within the block, as the mix lays them out; both are 0 if
	// the mix has one operation only.
	block uint64
	rank  int
}

// Picker chooses keys, as numbers below the size of the key space. Pickers are pointers: behind an interface a method of a
// value is called through a copy of it, which took a fifth of the generator's time.
type Picker interface {
	pick(at site) uint64
}

// NewPicker returns what chooses the keys of a workload. Threads share it: its tables are large, and do not change.
func NewPicker(c *Config) Picker {
	d, space, mix := c.KeyDist, c.keySpace(), c.Mix
	_, only := mix.only()
	switch d.kind {
	case distSeq:
		return &seqPicker{space}
	case distLatest:
		if only {
			return &seqPicker{space} // nothing to be later than
		}
		return &latestPicker{space, uint64(mix.Share(wire.OpPut)), newZipf(space.owned(space.sessions-1), latestTheta)}
	case distZipf:
		return &zipfPicker{newZipf(space.keys, d.a)}
	case distScattered:
		return &scatteredPicker{newZipf(space.keys, d.a), newScatter(space.keys)}
	case distHot:
		hot := max(1, uint64(math.Round(d.a*float64(space.keys))))
		return &hotPicker{keys: space.keys, hot: hot, threshold: draw.Fraction(d.b)}
	case distConflict:
		return &conflictPicker{space: newKeySpace(space.keys-1, space.generator, space.sessions), threshold: draw.Fraction(d.a / 100)}
	}
	return &uniformPicker{space}
}

// keySpace is the keys 0..keys-1, dealt out twice: to the generators in turn, and what a generator gets to its sessions in
// turn. So what a generator owns does not depend on how many sessions another one has.
type keySpace struct {
	keys      uint64
	generator units.GeneratorID
	sessions  uint64 // of this generator
	// Session s owns the keys first + s*step, and from there every sessions*step.
	first, step uint64
	// Every session owns each keys, the first extra ones one more. Dividing once saves a division per operation.
	each, extra uint64
}

func newKeySpace(keys uint64, generator units.GeneratorID, sessions uint64) keySpace {
	index, of := uint64(generator.Index), uint64(generator.Of)
	mine := (keys + of - 1 - index) / of
	return keySpace{keys: keys, generator: generator, sessions: sessions, first: index, step: of, each: mine / sessions, extra: mine % sessions}
}

// owned returns how many keys the session owns.
func (k keySpace) owned(session uint64) uint64 {
	if session < k.extra {
		return k.each + 1
	}
	return k.each
}

// own returns the i-th key that the session owns.
func (k keySpace) own(session, i uint64) uint64 { return k.first + (session+i*k.sessions)*k.step }

type uniformPicker struct{ space keySpace }

func (p *uniformPicker) pick(at site) uint64 {
	return p.space.own(at.session, draw.Below(at.random, p.space.owned(at.session)))
}

type seqPicker struct{ space keySpace }

func (p *seqPicker) pick(at site) uint64 {
	return p.space.own(at.session, at.number%p.space.owned(at.session))
}

const latestTheta = 0.99

// latestPicker lets the puts of a session go round its keys. A get looks back from the last put of the block before.
type latestPicker struct {
	space keySpace
	puts  uint64 // per block
	zipf  *zipf
}

func (p *latestPicker) pick(at site) uint64 {
	owned := p.space.owned(at.session)
	if at.op == wire.OpPut {
		return p.space.own(at.session, (at.block*p.puts+uint64(at.rank))%owned)
	}
	back := p.zipf.rank(at.random) % owned
	return p.space.own(at.session, (at.block*p.puts+owned-1-back)%owned)
}

type zipfPicker struct{ zipf *zipf }

func (p *zipfPicker) pick(at site) uint64 { return p.zipf.rank(at.random) }

// scatteredPicker spreads the ranks over the keys, so that those drawn often are no neighbours.
type scatteredPicker struct {
	zipf    *zipf
	scatter scatter
}

func (p *scatteredPicker) pick(at site) uint64 { return p.scatter.of(p.zipf.rank(at.random)) }

// scatter permutes the numbers below n: rounds of a multiplication and a shift, each a bijection of the words of so many bits,
// again and again until the result is below n. It is the same in every run, so that generators agree.
type scatter struct{ n, mask, shift uint64 }

func newScatter(n uint64) scatter {
	width := max(2, bits.Len64(n-1))
	return scatter{n: n, mask: 1<<width - 1, shift: uint64(width) / 2}
}

func (s scatter) of(x uint64) uint64 {
	for {
		for round := range uint64(3) {
			x = (x*(2*draw.Hash(round)+1) + draw.Hash(round+3)) & s.mask
			x ^= x >> s.shift
		}
		if x < s.n {
			return x
		}
	}
}

type hotPicker struct{ keys, hot, threshold uint64 }

func (p *hotPicker) pick(at site) uint64 {
	second := draw.Hash(at.random)
	if at.random < p.threshold || p.hot == p.keys {
		return draw.Below(second, p.hot)
	}
	return p.hot + draw.Below(second, p.keys-p.hot)
}

// conflictPicker gives key 0 to the conflicts; space is the keys behind it.
type conflictPicker struct {
	space     keySpace
	threshold uint64
}

func (p *conflictPicker) pick(at site) uint64 {
	if at.random < p.threshold {
		return 0
	}
	return 1 + p.space.own(at.session, draw.Below(draw.Hash(at.random), p.space.owned(at.session)))
}

// zipf draws ranks with weight 1/(rank+1)^theta by the alias method (Walker 1977, Vose 1991): one multiplication and
// one look into a table, where inverting the distribution would take a power per draw.
type zipf struct {
	columns []zipfColumn
}

// zipfColumn is a rank that keeps the lower part of its column and gives the rest to another.
type zipfColumn struct {
	keep  uint32 // of 2^32
	alias uint32
}

// maxZipf bounds the table, at 8 bytes a rank.
const maxZipf = 16 << 20

func newZipf(n uint64, theta float64) *zipf {
	heights := make([]float64, n) // of the columns; the mean is 1
	sum := 0.0
	for i := range heights {
		heights[i] = math.Pow(float64(i+1), -theta)
		sum += heights[i]
	}
	// Ranks come in falling order, so those above the mean are a prefix: the giver walks up, the taker down.
	z := &zipf{columns: make([]zipfColumn, n)}
	for i := range heights {
		heights[i] *= float64(n) / sum
	}
	giver := 0
	for taker := len(heights) - 1; taker > giver; {
		z.columns[taker] = zipfColumn{keep: uint32(min(heights[taker]*(1<<32), math.MaxUint32)), alias: uint32(giver)}
		heights[giver] -= 1 - heights[taker]
		taker--
		// A giver that has fallen below the mean takes from the next one.
		for giver < taker && heights[giver] < 1 {
			z.columns[giver] = zipfColumn{keep: uint32(max(0, heights[giver]) * (1 << 32)), alias: uint32(giver + 1)}
			heights[giver+1] -= 1 - heights[giver]
			giver++
		}
	}
	z.columns[giver] = zipfColumn{keep: math.MaxUint32, alias: uint32(giver)}
	return z
}

// rank returns the rank that a random word draws, 0 being the most frequent.
func (z *zipf) rank(random uint64) uint64 {
	column, rest := bits.Mul64(random, uint64(len(z.columns)))
	if uint32(rest>>32) < z.columns[column].keep {
		return column
	}
	return uint64(z.columns[column].alias)
}
