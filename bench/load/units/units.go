// Package units is how quantities are spelled on the command line and in results: rates, counts, sizes, and a generator's part.
package units

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Rate is a number of operations per second, written 100, 50k, 1.5M, with an optional /s.
type Rate float64

// Count is a whole number of things, written 100, 100k, 1M.
type Count int64

// Size is a number of bytes, written 16, 16B, 1KiB, 1.5MiB, 4kB.
type Size int64

// scales of rates and counts; sizes have units of their own, because there k is read both ways.
var scales = []struct {
	suffix string
	factor float64
}{{"G", 1e9}, {"M", 1e6}, {"k", 1e3}, {"", 1}}

// UnmarshalText parses a rate.
func (r *Rate) UnmarshalText(text []byte) error {
	v, err := parseScaled(strings.TrimSuffix(string(text), "/s"))
	if err != nil {
		return fmt.Errorf("rate %q: %w", text, err)
	}
	if v <= 0 {
		return fmt.Errorf("rate %q: must be positive", text)
	}
	*r = Rate(v)
	return nil
}

// String renders the rate in the form that UnmarshalText reads.
func (r Rate) String() string { return formatScaled(float64(r)) }

// MarshalText renders the rate as String does.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText parses a count.
func (c *Count) UnmarshalText(text []byte) error {
	v, err := parseScaled(string(text))
	if err != nil {
		return fmt.Errorf("count %q: %w", text, err)
	}
	whole := math.Round(v)
	if v < 0 || v > 1<<53 || math.Abs(v-whole) > 1e-9*v { // 1.005k is 1005 and a rounding error
		return fmt.Errorf("count %q: must be a whole number", text)
	}
	*c = Count(whole)
	return nil
}

// String renders the count in the form that UnmarshalText reads.
func (c Count) String() string { return formatScaled(float64(c)) }

// MarshalText renders the count as String does.
func (c Count) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

func parseScaled(text string) (float64, error) {
	for _, s := range scales {
		number, ok := strings.CutSuffix(text, s.suffix)
		if !ok {
			continue
		}
		if v, err := ParseNumber(number); err == nil {
			return v * s.factor, nil
		}
	}
	return 0, fmt.Errorf("%s: want a number with k (thousand), M (million) or G", scaleRemedy(text))
}

// scaleRemedy explains the spellings that people mean differently.
func scaleRemedy(text string) string {
	switch {
	case strings.HasSuffix(text, "K"):
		return "K is ambiguous, write k for a thousand"
	case strings.HasSuffix(text, "m"):
		return "m is ambiguous, write M for a million"
	case strings.Contains(text, ","):
		return "write the number without commas"
	}
	return "not understood"
}

// ParseNumber accepts plain decimal numbers only: no exponents, infinities or digit separators.
func ParseNumber(text string) (float64, error) {
	if strings.Trim(text, "0123456789.") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseFloat(text, 64)
}

func formatScaled(v float64) string {
	for _, s := range scales {
		if v >= s.factor {
			return strconv.FormatFloat(v/s.factor, 'f', -1, 64) + s.suffix
		}
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

var sizeUnits = []struct {
	suffix string
	factor float64
}{
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}, {"", 1},
}

// UnmarshalText parses a size.
func (s *Size) UnmarshalText(text []byte) error {
	for _, u := range sizeUnits {
		number, ok := strings.CutSuffix(string(text), u.suffix)
		if !ok {
			continue
		}
		v, err := ParseNumber(number)
		if err != nil {
			break
		}
		v *= u.factor
		whole := math.Round(v)
		if math.Abs(v-whole) > 1e-9*v {
			return fmt.Errorf("size %q: not a whole number of bytes", text)
		}
		*s = Size(whole)
		return nil
	}
	return fmt.Errorf("size %q: %s", text, sizeRemedy(string(text)))
}

func sizeRemedy(text string) string {
	for _, unit := range []string{"K", "k", "M", "G"} {
		if number, ok := strings.CutSuffix(text, unit); ok {
			return fmt.Sprintf("%s is ambiguous, write %s%siB (powers of 1024) or %s%sB (powers of 1000)",
				unit, number, strings.ToUpper(unit), number, strings.Replace(unit, "K", "k", 1))
		}
	}
	return "want bytes with an optional B, KiB, MiB, kB or MB"
}

// String renders the size in the form that UnmarshalText reads.
func (s Size) String() string {
	for _, u := range sizeUnits[:3] {
		if f := Size(u.factor); s >= f && s%f == 0 {
			return strconv.FormatInt(int64(s/f), 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// MarshalText renders the size as String does.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
