package units

import (
	"fmt"
	"strconv"
	"strings"
)

// GeneratorID says which of several generators of one cluster this is, written I/N; they divide the keys.
type GeneratorID struct{ Index, Of int }

// maxGenerators leaves each generator a good many tags for its runs.
const maxGenerators = 1024

// UnmarshalText parses I/N, with I from 1.
func (g *GeneratorID) UnmarshalText(text []byte) error {
	index, of, ok := strings.Cut(string(text), "/")
	i, err1 := strconv.Atoi(index)
	n, err2 := strconv.Atoi(of)
	if !ok || err1 != nil || err2 != nil || i < 1 || i > n || n > maxGenerators {
		return fmt.Errorf("generator %q: want I/N, as in 2/3 for the second of three, and at most %d", text, maxGenerators)
	}
	*g = GeneratorID{Index: i - 1, Of: n}
	return nil
}

// String renders the id in the form that UnmarshalText reads.
func (g GeneratorID) String() string { return fmt.Sprintf("%d/%d", g.Index+1, g.Of) }

// MarshalText renders the id as String does.
func (g GeneratorID) MarshalText() ([]byte, error) { return []byte(g.String()), nil }
