package batching

import (
	"fmt"
	"strconv"
	"strings"

	"paxosbench/wire"
)

// Kind names what makes a batch full.
type Kind uint8

// Kinds of policy.
const (
	None     Kind = iota // every command is a batch of its own
	Count                // N commands
	Bytes                // N bytes of body
	Adaptive             // never full before Config.MaxBytes: what has gathered leaves as soon as there is room
)

// Policy says when a batch is full. The zero value is None.
type Policy struct {
	Kind Kind
	N    int // commands for Count, bytes for Bytes, else 0
}

const (
	policyGrammar = "want none, count:N, bytes:N (N may end in KiB or MiB) or adaptive"

	// maxCount is the number of the smallest commands that fit in the largest batch; a larger N could never be met.
	maxCount = wire.MaxBatch / wire.CommandHeaderSize
)

// ParsePolicy parses none, count:N, bytes:N or adaptive. The N of bytes may carry the unit KiB or MiB. An N that no
// batch could ever reach is an error.
func ParsePolicy(s string) (Policy, error) {
	switch s {
	case "none":
		return Policy{Kind: None}, nil
	case "adaptive":
		return Policy{Kind: Adaptive}, nil
	}
	name, number, _ := strings.Cut(s, ":")
	switch name {
	case "count":
		n, err := parseBounded(number, 1, maxCount)
		if err != nil {
			return Policy{}, fmt.Errorf("batch %q: %w; %s", s, err, policyGrammar)
		}
		return Policy{Kind: Count, N: n}, nil
	case "bytes":
		digits, unit := cutUnit(number)
		n, err := parseBounded(digits, unit, wire.MaxBatch)
		if err != nil {
			return Policy{}, fmt.Errorf("batch %q: %w; %s", s, err, policyGrammar)
		}
		return Policy{Kind: Bytes, N: n}, nil
	}
	return Policy{}, fmt.Errorf("batch %q: unknown policy; %s", s, policyGrammar)
}

// cutUnit splits "64KiB" into "64" and 1024.
func cutUnit(number string) (digits string, unit int) {
	if digits, ok := strings.CutSuffix(number, "KiB"); ok {
		return digits, 1 << 10
	}
	if digits, ok := strings.CutSuffix(number, "MiB"); ok {
		return digits, 1 << 20
	}
	return number, 1
}

// parseBounded returns digits times unit, which must be between 1 and limit.
func parseBounded(digits string, unit, limit int) (int, error) {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number", digits)
	}
	if n < 1 || n > limit/unit {
		return 0, fmt.Errorf("the number must be between 1 and %d", limit)
	}
	return n * unit, nil
}

// String renders p in the form that ParsePolicy reads.
func (p Policy) String() string {
	switch p.Kind {
	case None:
		return "none"
	case Count:
		return fmt.Sprintf("count:%d", p.N)
	case Bytes:
		return "bytes:" + formatBytes(p.N)
	case Adaptive:
		return "adaptive"
	}
	return fmt.Sprintf("Policy(%d,%d)", p.Kind, p.N)
}

func formatBytes(n int) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%dMiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%dKiB", n>>10)
	}
	return strconv.Itoa(n)
}

// MarshalText renders p the way String does, so that flags, files and results share one spelling.
func (p Policy) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText parses what ParsePolicy parses.
func (p *Policy) UnmarshalText(text []byte) error {
	parsed, err := ParsePolicy(string(text))
	if err != nil {
		return err
	}
	*p = parsed
	return nil
}

// thresholds returns the commands and the body bytes that make a batch full; a threshold that does not apply is out
// of reach.
func (p Policy) thresholds() (commands, bytes int) {
	const never = int(^uint(0) >> 1)
	switch p.Kind {
	case None:
		return 1, never
	case Count:
		return p.N, never
	case Bytes:
		return never, p.N
	case Adaptive:
		return never, never
	}
	panic(fmt.Sprintf("BUG: batching policy of kind %d", p.Kind))
}
