package pipeline

import (
	"fmt"
	"strconv"
)

// MaxDepth is the largest depth: the most slots that Open may have in flight.
const MaxDepth = 4096

// Depth says how many slots may be in flight: N, or with Adaptive as many from 1 to N as keep the pipeline busy.
type Depth struct {
	Adaptive bool
	N        int // from 1 to MaxDepth
}

// ParseDepth parses N, a number from 1 to MaxDepth, or adaptive, which is bounded by MaxDepth.
func ParseDepth(s string) (Depth, error) {
	if s == "adaptive" {
		return Depth{Adaptive: true, N: MaxDepth}, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > MaxDepth {
		return Depth{}, fmt.Errorf("pipeline %q: want a number of slots from 1 to %d, or adaptive", s, MaxDepth)
	}
	return Depth{N: n}, nil
}

// String renders d in the form that ParseDepth reads; the bound of an adaptive depth is not part of it.
func (d Depth) String() string {
	if d.Adaptive {
		return "adaptive"
	}
	return strconv.Itoa(d.N)
}

// MarshalText renders d the way String does, so that flags, files and results share one spelling.
func (d Depth) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText parses what ParseDepth parses.
func (d *Depth) UnmarshalText(text []byte) error {
	parsed, err := ParseDepth(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}
