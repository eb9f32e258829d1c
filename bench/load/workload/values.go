package workload

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"paxosbench/bench/load/draw"
	"paxosbench/bench/load/units"
	"paxosbench/wire"
)

// ValueSizes is how long values are: 8, uniform:16,1KiB or weighted:16@0.9,1KiB@0.1.
type ValueSizes struct {
	text   string
	spread bool       // uniform between the two bounds
	bounds []weighted // fixed: one; uniform: two; weighted: any number
}

type weighted struct {
	size  int
	upTo  uint64 // a random word at most this large chooses it
	share float64
}

// SmallValues are values of eight bytes.
var SmallValues = ValueSizes{text: "8", bounds: []weighted{{size: 8, upTo: math.MaxUint64}}}

// UnmarshalText parses value sizes.
func (v *ValueSizes) UnmarshalText(text []byte) error {
	parsed := ValueSizes{text: string(text)}
	kind, rest, ok := strings.Cut(string(text), ":")
	var err error
	switch {
	case !ok:
		err = parsed.add(kind, 1)
	case kind == "uniform":
		err = parsed.parseUniform(rest)
	case kind == "weighted":
		err = parsed.parseWeighted(rest)
	default:
		err = fmt.Errorf("want SIZE, uniform:MIN,MAX or weighted:SIZE@SHARE and so on")
	}
	if err != nil {
		return fmt.Errorf("value size %q: %w", text, err)
	}
	*v = parsed
	return nil
}

func (v *ValueSizes) parseUniform(text string) error {
	low, high, ok := strings.Cut(text, ",")
	if !ok {
		return fmt.Errorf("want two bounds, as in uniform:16,1KiB")
	}
	if err := v.add(low, 0); err != nil {
		return err
	}
	if err := v.add(high, 1); err != nil {
		return err
	}
	v.spread = true
	if v.bounds[0].size > v.bounds[1].size {
		return fmt.Errorf("the smaller bound comes first")
	}
	return nil
}

func (v *ValueSizes) parseWeighted(text string) error {
	sum := 0.0
	for part := range strings.SplitSeq(text, ",") {
		size, share, ok := strings.Cut(part, "@")
		f, err := units.ParseNumber(share)
		if !ok || err != nil || f <= 0 {
			return fmt.Errorf("part %q: want SIZE@SHARE, as in 1KiB@0.1", part)
		}
		sum += f
		if err := v.add(size, sum); err != nil {
			return err
		}
		v.bounds[len(v.bounds)-1].share = f
	}
	if math.Abs(sum-1) > 1e-9 {
		return fmt.Errorf("the shares sum to %g, want 1", sum)
	}
	v.bounds[len(v.bounds)-1].upTo = math.MaxUint64
	return nil
}

// add appends a size that random words up to the fraction p of all choose.
func (v *ValueSizes) add(size string, p float64) error {
	var s units.Size
	if err := s.UnmarshalText([]byte(size)); err != nil {
		return err
	}
	if s > wire.MaxValue {
		return fmt.Errorf("%v is longer than the longest value, %v", s, units.Size(wire.MaxValue))
	}
	v.bounds = append(v.bounds, weighted{size: int(s), upTo: draw.Fraction(p)})
	return nil
}

// String renders the sizes as they were written.
func (v ValueSizes) String() string { return v.text }

// MarshalText renders the sizes as String does.
func (v ValueSizes) MarshalText() ([]byte, error) { return []byte(v.text), nil }

// Min returns the smallest size.
func (v *ValueSizes) Min() int {
	least := v.bounds[0].size
	for _, b := range v.bounds {
		least = min(least, b.size)
	}
	return least
}

// pick returns the size that a random word chooses.
func (v *ValueSizes) pick(random uint64) int {
	if len(v.bounds) == 1 {
		return v.bounds[0].size
	}
	if v.spread {
		low, high := v.bounds[0].size, v.bounds[1].size
		return low + int(draw.Below(random, uint64(high-low+1)))
	}
	for _, b := range v.bounds {
		if random <= b.upTo {
			return b.size
		}
	}
	return v.bounds[len(v.bounds)-1].size
}

// ValueID names a value. A value begins with a word that tells the run, session and operation that wrote it, as far as it is long enough.
//
//	bits 48..63  tag of the run
//	bits 32..47  session
//	bits  0..31  low half of the operation's number
//
// The bytes behind the word follow from it, so that a value read back can be checked completely.
type ValueID uint64

const (
	valueIDBytes   = 8
	maxSessions    = 1 << 16
	valueNumberMax = math.MaxUint32
)

func makeValueID(tag uint16, session, number uint64) ValueID {
	return ValueID(uint64(tag)<<48 | session<<32 | number&valueNumberMax)
}

func (id ValueID) tag() uint16 { return uint16(id >> 48) }

// Session returns the session that wrote the value, by its number among those of all generators' runs of one tag.
func (id ValueID) Session() uint64 { return uint64(id>>32) & (maxSessions - 1) }

// Number returns the low half of the number of the operation that wrote the value.
func (id ValueID) Number() uint32 { return uint32(id) }

// values makes the values of a run.
type values struct {
	seed  uint64
	sizes ValueSizes
	// random is the share of each value's filler that does not compress; the rest repeats one byte.
	random float64
}

// size returns the length of the value with the given id.
func (v *values) size(id ValueID) int {
	if len(v.sizes.bounds) == 1 {
		return v.sizes.bounds[0].size
	}
	return v.sizes.pick(draw.Hash(v.seed ^ uint64(id)<<16)) // not of the tag, which is new in every run
}

// append appends the value with the given id and size.
func (v *values) append(dst []byte, id ValueID, size int) []byte {
	if size == valueIDBytes {
		return binary.LittleEndian.AppendUint64(dst, uint64(id))
	}
	var word [valueIDBytes]byte
	binary.LittleEndian.PutUint64(word[:], uint64(id))
	dst = append(dst, word[:min(size, valueIDBytes)]...)
	if size > valueIDBytes {
		dst = v.appendFiller(dst, id, size-valueIDBytes)
	}
	return dst
}

// appendFiller appends size bytes of which the first share is a pseudo-random sequence and the rest zeros.
func (v *values) appendFiller(dst []byte, id ValueID, size int) []byte {
	start := len(dst)
	dst = slices.Grow(dst, size)[:start+size]
	random := start + int(float64(size)*v.random)
	draw.Fill(dst[start:random], uint64(id))
	clear(dst[random:])
	return dst
}

// check reports whether value is the whole value with the given id. scratch is used and returned.
func (v *values) check(value []byte, id ValueID, scratch []byte) (bool, []byte) {
	size := v.size(id)
	if len(value) != size {
		return false, scratch
	}
	if size == valueIDBytes {
		return true, scratch // the id was read from it
	}
	scratch = v.append(scratch[:0], id, size)
	return bytes.Equal(value, scratch), scratch
}

// WordOf returns the id at the beginning of a value, Unknown if it is too short to have one.
func WordOf(value []byte) ValueID {
	if len(value) < valueIDBytes {
		return Unknown
	}
	return ValueID(binary.LittleEndian.Uint64(value))
}

// String renders an id for reports.
func (id ValueID) String() string {
	switch id {
	case Unknown:
		return "an unknown value"
	case Absent:
		return "no value"
	}
	return fmt.Sprintf("value %d of session %d (run %04x)", id.Number(), id.Session(), id.tag())
}

// AppendValue appends the value of an id.
func (w *Workload) AppendValue(dst []byte, id ValueID) []byte {
	return w.values.append(dst, id, w.values.size(id))
}

// Whole reports whether value is all of the value of an id that was read from it.
func (w *Workload) Whole(value []byte, id ValueID) (whole bool) {
	whole, w.scratch[0] = w.values.check(value, id, w.scratch[0])
	return whole
}

// OfRun reports whether a value was written in this run, by this generator.
func (w *Workload) OfRun(id ValueID) bool { return id.tag() == w.tag }

// Mine returns which of the workload's own sessions has written a value of this run, if any has.
func (w *Workload) Mine(id ValueID) (session int, ok bool) {
	session = int(id.Session()) - int(w.first)
	return session, session >= 0 && session < len(w.plans)
}

// Before reports whether one session of this run has written one value before another.
func (w *Workload) Before(id, other ValueID) bool {
	return w.OfRun(id) && w.OfRun(other) && id.Session() == other.Session() && int32(id.Number()-other.Number()) < 0
}
