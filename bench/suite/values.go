package suite

import (
	"encoding"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"paxosbench/bench/load/events"
	"paxosbench/bench/load/units"
	"paxosbench/wire"
)

// Bounds of values that have none of their own.
const (
	forever = time.Duration(math.MaxInt64)
	maxSize = 1 << 40
)

// text checks values by the parser of the type that they become.
func text[T any, P interface {
	*T
	encoding.TextUnmarshaler
}](value string) error {
	return P(new(T)).UnmarshalText([]byte(value))
}

func oneOf(names ...string) func(string) error {
	return func(value string) error {
		if !slices.Contains(names, value) {
			return fmt.Errorf("want %s", strings.Join(names, ", "))
		}
		return nil
	}
}

// either allows a name beside what another check does.
func either(name string, other func(string) error) func(string) error {
	return func(value string) error {
		if value == name {
			return nil
		}
		if err := other(value); err != nil {
			return fmt.Errorf("%w, or %s", err, name)
		}
		return nil
	}
}

func whole(low, high int) func(string) error {
	return func(value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < low || n > high {
			return fmt.Errorf("want a whole number %s", between(low, high, high == math.MaxInt))
		}
		return nil
	}
}

func number(low, high float64) func(string) error {
	return func(value string) error {
		n, err := strconv.ParseFloat(value, 64)
		if err != nil || !(n >= low && n <= high) {
			return fmt.Errorf("want a number %s", between(low, high, high == math.MaxFloat64))
		}
		return nil
	}
}

func length(low, high time.Duration) func(string) error {
	return func(value string) error {
		d, err := time.ParseDuration(value)
		if err != nil || d < low || d > high {
			return fmt.Errorf("want a length of time, as in 50ms, %s", between(low, high, high == forever))
		}
		return nil
	}
}

// size checks bytes as replicas read them: 65536, 64KiB, 1MB.
func size(low, high uint64) func(string) error {
	return func(value string) error {
		n, err := humanize.ParseBytes(value)
		if err != nil || n < low || n > high {
			return fmt.Errorf("want bytes, as in 64KiB, %s", between(humanize.IBytes(low), humanize.IBytes(high), high == maxSize))
		}
		return nil
	}
}

func between[T any](low, high T, endless bool) string {
	if endless {
		return fmt.Sprintf("from %v on", low)
	}
	return fmt.Sprintf("from %v to %v", low, high)
}

func keySize(value string) error {
	var s units.Size
	if err := s.UnmarshalText([]byte(value)); err != nil {
		return err
	}
	if s < 1 || s > wire.MaxKey {
		return fmt.Errorf("want 1 to %d bytes", wire.MaxKey)
	}
	return nil
}

// batchPolicy checks when batches leave.
func batchPolicy(value string) error {
	kind, n, _ := strings.Cut(value, ":")
	switch {
	case value == "none" || value == "adaptive":
		return nil
	case kind == "count":
		return multiple(n, 1, wire.MaxBatch/wire.CommandHeaderSize)
	case kind == "bytes" && strings.HasSuffix(n, "KiB"):
		return multiple(strings.TrimSuffix(n, "KiB"), 1<<10, wire.MaxBatch)
	case kind == "bytes" && strings.HasSuffix(n, "MiB"):
		return multiple(strings.TrimSuffix(n, "MiB"), 1<<20, wire.MaxBatch)
	case kind == "bytes":
		return multiple(n, 1, wire.MaxBatch)
	}
	return fmt.Errorf("want none, count:N, bytes:N (N may end in KiB or MiB) or adaptive")
}

// multiple checks a number of units.
func multiple(digits string, unit, high int) error {
	if n, err := strconv.Atoi(digits); err != nil || n < 1 || n > high/unit {
		return fmt.Errorf("want a whole number from 1 to %d behind the colon", high)
	}
	return nil
}

// plannedEvents checks what is done to the cluster, separated by semicolons.
func plannedEvents(value string) error {
	for text := range strings.SplitSeq(value, ";") {
		var event events.Planned
		if err := event.UnmarshalText([]byte(strings.TrimSpace(text))); err != nil {
			return err
		}
	}
	return nil
}
