package verdict

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"paxosbench/bench/load/units"
	"paxosbench/bench/record"
)

// Objective is a bound on a percentile of the latency from the intended send, written p99<5ms. The zero Objective is
// always met.
type Objective struct {
	Percentile float64
	Bound      time.Duration
}

// UnmarshalText parses an objective.
func (o *Objective) UnmarshalText(text []byte) error {
	p, bound, ok := strings.Cut(string(text), "<")
	digits, isP := strings.CutPrefix(p, "p")
	percentile, err1 := parsePercentile(digits)
	limit, err2 := time.ParseDuration(bound)
	if !ok || !isP || err1 != nil || err2 != nil || limit <= 0 {
		return fmt.Errorf("objective %q: want a percentile and a bound, as in p99<5ms or p99.9<20ms", text)
	}
	*o = Objective{Percentile: percentile, Bound: limit}
	return nil
}

// parsePercentile reads 99, 99.9 and, as result.json spells it, 999.
func parsePercentile(digits string) (float64, error) {
	if !strings.Contains(digits, ".") && len(digits) > 2 && strings.HasPrefix(digits, "99") {
		digits = digits[:2] + "." + digits[2:]
	}
	p, err := units.ParseNumber(digits)
	if err != nil || p <= 0 || p > 100 {
		return 0, strconv.ErrRange
	}
	return p, nil
}

// String renders the objective in the form that UnmarshalText reads.
func (o Objective) String() string {
	if o.Bound == 0 {
		return ""
	}
	return "p" + strconv.FormatFloat(o.Percentile, 'f', -1, 64) + "<" + o.Bound.String()
}

// MarshalText renders the objective as String does.
func (o Objective) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// Met reports whether a latency histogram meets the objective.
func (o Objective) Met(latency *record.Histogram) bool {
	return o.Bound == 0 || latency.Percentile(o.Percentile) < o.Bound
}
