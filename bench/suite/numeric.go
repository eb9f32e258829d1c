package suite

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"paxosbench/bench/load/units"
)

// Numeric returns the number that a knob's value stands for, so that it can be an axis: 64 of count:64, bytes of a size
// or of a rate, operations per second, seconds of a length of time, 0.7 of 70%, 0.95 of put:0.05,get:0.95 (the share of
// gets).
// It is false of a value that names something, such as adaptive.
func Numeric(value string) (float64, bool) {
	number, ok := numeric(value)
	return number, ok && !math.IsInf(number, 0) && !math.IsNaN(number) // inf is a name too: it has no place on an axis
}

func numeric(value string) (float64, bool) {
	if number, err := strconv.ParseFloat(value, 64); err == nil {
		return number, true
	}
	if share, ok := strings.CutSuffix(value, "%"); ok {
		number, err := strconv.ParseFloat(share, 64)
		return number / 100, err == nil
	}
	for _, prefix := range []string{"count:", "bytes:", "zipf:", "conflict:"} {
		if rest, ok := strings.CutPrefix(value, prefix); ok {
			return Numeric(rest)
		}
	}
	if rate, ok := Rate(value); ok {
		return rate, true
	}
	if d, err := time.ParseDuration(value); err == nil {
		return d.Seconds(), true
	}
	if bytes, err := humanize.ParseBytes(value); err == nil {
		return float64(bytes), true
	}
	return shareOfGets(value)
}

// shareOfGets reads a mix of operations.
func shareOfGets(mix string) (float64, bool) {
	gets, known := 0.0, false
	for part := range strings.SplitSeq(mix, ",") {
		op, share, _ := strings.Cut(part, ":")
		number, err := strconv.ParseFloat(share, 64)
		if err != nil {
			return 0, false
		}
		known = known || op == "put" || op == "get"
		if op == "get" {
			gets += number
		}
	}
	return gets, known
}

// LoadShare returns the share of saturation that a value of KnobLoad stands for: 0.7 of 70%.
func LoadShare(value string) (float64, error) {
	share, percent := strings.CutSuffix(value, "%")
	number, err := strconv.ParseFloat(share, 64)
	if err != nil || !percent || !(number > 0 && number <= 1000) {
		return 0, fmt.Errorf("%s %q: want a percentage above 0, as in 70%%", KnobLoad, value)
	}
	return number / 100, nil
}

// Rate reads operations per second, as the load generator does: 100, 50k, 1.5M.
func Rate(text string) (float64, bool) {
	var rate units.Rate
	err := rate.UnmarshalText([]byte(text))
	return float64(rate), err == nil
}

// LinkRate reads bytes per second, as in 100MB; it is 0 of unlimited.
func LinkRate(text string) (float64, error) {
	if text == Unlimited {
		return 0, nil
	}
	bytes, err := humanize.ParseBytes(text)
	if err != nil || bytes == 0 {
		return 0, fmt.Errorf("want bytes per second as in 100MB, or %s", Unlimited)
	}
	return float64(bytes), nil
}
