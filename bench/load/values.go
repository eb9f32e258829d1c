package load

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

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
		f, err := parseNumber(share)
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
	var s Size
	if err := s.UnmarshalText([]byte(size)); err != nil {
		return err
	}
	if s > wire.MaxValue {
		return fmt.Errorf("%v is longer than the longest value, %v", s, Size(wire.MaxValue))
	}
	v.bounds = append(v.bounds, weighted{size: int(s), upTo: fraction(p)})
	return nil
}

// String renders the sizes as they were written.
func (v ValueSizes) String() string { return v.text }

// MarshalText renders the sizes as String does.
func (v ValueSizes) MarshalText() ([]byte, error) { return []byte(v.text), nil }

// min returns the smallest size.
func (v *ValueSizes) min() int {
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
		return low + int(below(random, uint64(high-low+1)))
	}
	for _, b := range v.bounds {
		if random <= b.upTo {
			return b.size
		}
	}
	return v.bounds[len(v.bounds)-1].size
}

// A value begins with a word that tells the run, session and operation that wrote it, as far as it is long enough.
//
//	bits 48..63  tag of the run
//	bits 32..47  session
//	bits  0..31  low half of the operation's number
//
// The bytes behind the word follow from it, so that a value read back can be checked completely.
type valueID uint64

const (
	valueIDBytes   = 8
	maxSessions    = 1 << 16
	valueNumberMax = math.MaxUint32
)

func makeValueID(tag uint16, session, number uint64) valueID {
	return valueID(uint64(tag)<<48 | session<<32 | number&valueNumberMax)
}

func (id valueID) tag() uint16     { return uint16(id >> 48) }
func (id valueID) session() uint64 { return uint64(id>>32) & (maxSessions - 1) }
func (id valueID) number() uint32  { return uint32(id) }

// values makes the values of a run.
type values struct {
	seed  uint64
	sizes ValueSizes
	// random is the share of each value's filler that does not compress; the rest repeats one byte.
	random float64
}

// size returns the length of the value with the given id.
func (v *values) size(id valueID) int {
	if len(v.sizes.bounds) == 1 {
		return v.sizes.bounds[0].size
	}
	return v.sizes.pick(hash(v.seed ^ uint64(id)<<16)) // not of the tag, which is new in every run
}

// append appends the value with the given id and size.
func (v *values) append(dst []byte, id valueID, size int) []byte {
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
func (v *values) appendFiller(dst []byte, id valueID, size int) []byte {
	start := len(dst)
	dst = append(dst, zeros[:min(size, len(zeros))]...)
	for len(dst)-start < size {
		dst = append(dst, zeros[:min(size-(len(dst)-start), len(zeros))]...)
	}
	random := dst[start : start+int(float64(size)*v.random)]
	state := uint64(id)
	for len(random) >= 8 {
		state = hash(state)
		binary.LittleEndian.PutUint64(random, state)
		random = random[8:]
	}
	state = hash(state)
	for i := range random {
		random[i] = byte(state >> (8 * i))
	}
	return dst
}

var zeros [4096]byte

// check reports whether value is the whole value with the given id. scratch is used and returned.
func (v *values) check(value []byte, id valueID, scratch []byte) (bool, []byte) {
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
