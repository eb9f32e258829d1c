package suite

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Setting is one knob at one value, spelled as on the command line.
type Setting struct {
	Knob  string `json:"knob"`
	Value string `json:"value"`
}

// Cell is one combination of settings, in the order of the suite's axes. No knob comes twice.
type Cell []Setting

// String returns the canonical spelling, as in `batch=none window=64`. Values with spaces are quoted. ParseCell reads
// it.
func (c Cell) String() string {
	var b strings.Builder
	for i, s := range c {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(s.Knob + "=" + quoted(s.Value))
	}
	return b.String()
}

func quoted(value string) string {
	special := func(r rune) bool { return unicode.IsSpace(r) || r == '"' || r == '\\' }
	if value == "" || strings.ContainsFunc(value, special) {
		return strconv.Quote(value)
	}
	return value
}

// ID returns twelve hexadecimal digits that name the cell.
func (c Cell) ID() string { return digest(c.String()) }

// digest names a text by twelve hexadecimal digits, which the few thousand cells of all suites will not share.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:6])
}

// Get returns the value of a knob, or "" if the cell does not set it.
func (c Cell) Get(knob string) string {
	value, _ := c.lookup(knob)
	return value
}

func (c Cell) lookup(knob string) (string, bool) {
	for _, s := range c {
		if s.Knob == knob {
			return s.Value, true
		}
	}
	return "", false
}

// Without returns the cell with some knobs left out. The receiver stays as it is.
func (c Cell) Without(knobs ...string) Cell {
	return slices.DeleteFunc(slices.Clone(c), func(s Setting) bool { return slices.Contains(knobs, s.Knob) })
}

// With returns the cell with one knob set, in place if it was set before, at the end if not. The receiver stays as it
// is.
func (c Cell) With(knob, value string) Cell {
	d := slices.Clone(c)
	for i := range d {
		if d[i].Knob == knob {
			d[i].Value = value
			return d
		}
	}
	return append(d, Setting{knob, value})
}

// Over returns the cell on top of others: their settings first, overridden where the cell sets the same knob.
func (c Cell) Over(base Cell) Cell {
	d := base
	for _, s := range c {
		d = d.With(s.Knob, s.Value)
	}
	return d
}

// Matches tells whether the cell has every setting of a pattern.
func (c Cell) Matches(pattern Cell) bool {
	for _, s := range pattern {
		if value, ok := c.lookup(s.Knob); !ok || value != s.Value {
			return false
		}
	}
	return true
}

// InFlight is how many commands the closed loop of a cell with these settings has in flight at most, 0 if its loop is open. Cells
// that differ in it are no comparison of anything else.
func (c Cell) InFlight() int {
	if c.Get(KnobLoad)+c.Get("rate") != "" {
		return 0
	}
	if n, err := strconv.Atoi(c.Get(KnobInFlight)); err == nil {
		return n
	}
	conns, _ := strconv.Atoi(c.Effective(KnobConns)) // what is no number the programs have refused
	window, _ := strconv.Atoi(c.Effective(KnobWindow))
	return conns * window
}

// ParseCell reads what String writes.
func ParseCell(text string) (Cell, error) {
	var c Cell
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimSpace(rest) {
		knob, value, ok := strings.Cut(rest, "=")
		if !ok || knob == "" {
			return nil, fmt.Errorf("cell %q: want KNOB=VALUE at %q", text, rest)
		}
		var err error
		if value, rest, err = cutValue(value); err != nil {
			return nil, fmt.Errorf("cell %q: value of %s: %w", text, knob, err)
		}
		if _, twice := c.lookup(knob); twice {
			return nil, fmt.Errorf("cell %q: %s comes twice", text, knob)
		}
		c = append(c, Setting{knob, value})
	}
	return c, nil
}

// cutValue splits a value, quoted or not, from what follows it.
func cutValue(text string) (value, rest string, err error) {
	if !strings.HasPrefix(text, `"`) {
		value, rest, _ = strings.Cut(text, " ")
		return value, rest, nil
	}
	prefix, err := strconv.QuotedPrefix(text)
	if err != nil {
		return "", "", err
	}
	value, err = strconv.Unquote(prefix)
	return value, text[len(prefix):], err
}
