package workload

import (
	"errors"
	"fmt"
	"math"

	"paxosbench/bench/load/draw"
	"paxosbench/bench/load/units"
	"paxosbench/wire"
)

// Config says what the operations of a generator are.
type Config struct {
	Clients int // sessions in total

	Keys          units.Count
	KeyDist       KeyDist
	KeySize       units.Size
	ValueSize     ValueSizes
	CompressRatio float64 // value bytes per byte they compress to
	Mix           Mix
	Preload       bool // write every key once before the warm-up
	Seed          uint64
	Generator     units.GeneratorID
}

const (
	// maxKnown bounds what is remembered of keys, at 8 to 32 bytes each.
	maxKnown = 1 << 28
	// maxRatio is more than any compressor reaches.
	maxRatio = 1000
)

// Validate reports everything that is wrong with the configuration, each with its remedy.
func (c *Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Clients <= maxSessions/c.Generator.Of, "%d clients: at most %d over all generators", c.Clients, maxSessions)
	sessions := units.Count(min(c.Clients, maxSessions) * c.Generator.Of)
	check(c.Keys > sessions, "%v keys for %v clients: each client needs keys of its own, raise --keys", c.Keys, sessions)
	check(c.KeySize >= 1 && c.KeySize <= wire.MaxKey, "key size %v: 1 to %d", c.KeySize, wire.MaxKey)
	check(c.KeySize >= 8 || c.Keys <= 1<<(8*c.KeySize), "%v keys do not fit in %v bytes: raise --key-size", c.Keys, c.KeySize)
	zipf := c.KeyDist.kind == distZipf || c.KeyDist.kind == distScattered
	check(!zipf || c.Keys <= maxZipf, "zipf over %v keys: at most %d", c.Keys, maxZipf)
	check(c.Mix.Share(wire.OpCompareAndSet) == 0 || c.Keys <= maxKnown, "compare-and-sets of %v keys: at most %d", c.Keys, maxKnown)
	check(c.CompressRatio >= 1 && c.CompressRatio <= maxRatio, "compression ratio %v: 1 (none) to %d", c.CompressRatio, maxRatio)
	return errors.Join(errs...)
}

// Verifiable reports why the answers of the workload cannot be verified, if they cannot.
func (c *Config) Verifiable() error {
	if least := c.ValueSize.Min(); c.Mix.Reads() && least < valueIDBytes {
		return fmt.Errorf("values of %d bytes cannot be verified: use at least %d bytes or --verify none", least, valueIDBytes)
	}
	if c.Keys > maxKnown {
		return fmt.Errorf("%v keys cannot be verified, at most %d: lower --keys or use --verify none", c.Keys, maxKnown)
	}
	return nil
}

// ReadableBack reports why what was written cannot be told apart when it is read back, if it cannot.
func (c *Config) ReadableBack() error {
	if c.ValueSize.Min() < valueIDBytes {
		return fmt.Errorf("values of fewer than %d bytes cannot be told apart", valueIDBytes)
	}
	return nil
}

func (c *Config) keySpace() keySpace {
	return newKeySpace(uint64(c.Keys), c.Generator, uint64(c.Clients))
}

func (c *Config) word(p draw.Purpose) uint64 { return draw.Word(c.Seed, p, c.Generator.Index) }

// Tag returns a tag for the values of a run: not 0, see Unknown, and never one of another generator of the cluster.
func Tag(g units.GeneratorID, random uint16) uint16 {
	each := math.MaxUint16 / g.Of
	return uint16(1 + int(random)%each*g.Of + g.Index)
}
