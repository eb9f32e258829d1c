package workload

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"paxosbench/bench/load/units"
	"paxosbench/wire"
)

// mixBlock is the number of consecutive operations of a session in which a mix is met exactly.
const mixBlock = 1000

// Mix is the share of each operation in tenths of a percent, for example put:0.5,get:0.5.
type Mix struct {
	shares [wire.OpCompareAndSet + 1]int // per mixBlock
	// modify makes the mix one of reads and as many read-modify-writes: a get and then a put of the same key. Shares are then
	// those of the commands, about.
	modify bool
}

// mixReadModifyWrite is how the mix of reads and read-modify-writes is written, the only one that has any.
const mixReadModifyWrite = "get:0.5,rmw:0.5"

// PutOnly is the mix of a load that only writes.
var PutOnly = Mix{shares: [wire.OpCompareAndSet + 1]int{wire.OpPut: mixBlock}}

// mixOps are the operations that a mix may name, in the order in which it is written.
var mixOps = []wire.Op{wire.OpPut, wire.OpGet, wire.OpDelete, wire.OpCompareAndSet}

// UnmarshalText parses op:share pairs; shares are fractions that sum to 1, with at most three digits.
func (m *Mix) UnmarshalText(text []byte) error {
	var mix Mix
	if string(text) == mixReadModifyWrite {
		mix.modify = true
		mix.shares[wire.OpPut], mix.shares[wire.OpGet] = mixBlock/3, mixBlock-mixBlock/3
		*m = mix
		return nil
	}
	sum := 0
	for part := range strings.SplitSeq(string(text), ",") {
		name, share, ok := strings.Cut(part, ":")
		op, known := opByName(name)
		if !ok || !known {
			return fmt.Errorf("mix %q: want op:share pairs of put, get, delete and cas, as in put:0.5,get:0.5, or %s", text, mixReadModifyWrite)
		}
		fraction, err := units.ParseNumber(share)
		n := int(math.Round(fraction * mixBlock))
		if err != nil || fraction > 1 || math.Abs(fraction*mixBlock-float64(n)) > 1e-6 {
			return fmt.Errorf("mix %q: share %q: want a fraction with at most three digits, as in 0.05", text, share)
		}
		mix.shares[op] += n
		sum += n
	}
	if sum != mixBlock {
		return fmt.Errorf("mix %q: the shares sum to %g, want 1", text, float64(sum)/mixBlock)
	}
	*m = mix
	return nil
}

func opByName(name string) (wire.Op, bool) {
	for _, op := range mixOps {
		if op.String() == name {
			return op, true
		}
	}
	return 0, false
}

// String renders the mix in the form that UnmarshalText reads.
func (m Mix) String() string {
	if m.modify {
		return mixReadModifyWrite
	}
	var parts []string
	for _, op := range mixOps {
		if n := m.shares[op]; n > 0 {
			parts = append(parts, op.String()+":"+strconv.FormatFloat(float64(n)/mixBlock, 'f', -1, 64))
		}
	}
	return strings.Join(parts, ",")
}

// MarshalText renders the mix as String does.
func (m Mix) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// Share returns how many of mixBlock operations are op.
func (m Mix) Share(op wire.Op) int { return m.shares[op] }

// Reads reports whether the mix has operations whose answers depend on what was written.
func (m Mix) Reads() bool { return m.shares[wire.OpPut] < mixBlock }

// Deletes reports whether the mix has deletes.
func (m Mix) Deletes() bool { return m.shares[wire.OpDelete] > 0 }

// Plain reports whether the mix has but puts and gets.
func (m Mix) Plain() bool { return m.shares[wire.OpPut]+m.shares[wire.OpGet] == mixBlock }

// only returns the mix's operation if it has just one.
func (m Mix) only() (wire.Op, bool) {
	for _, op := range mixOps {
		if m.shares[op] == mixBlock {
			return op, true
		}
	}
	return 0, false
}

// table lays the operations out over mixBlock ranks, each in one stretch.
func (m Mix) table() [mixBlock]wire.Op {
	var table [mixBlock]wire.Op
	rank := 0
	for _, op := range mixOps {
		for range m.shares[op] {
			table[rank] = op
			rank++
		}
	}
	return table
}
