package verify

import (
	"fmt"
	"strings"
)

// Mode is what is checked about the answers.
type Mode uint8

// Modes. History includes replies.
const (
	None Mode = iota
	Replies
	History
)

var modeNames = []string{"none", "replies", "history"}

// UnmarshalText parses a mode.
func (m *Mode) UnmarshalText(text []byte) error {
	for i, name := range modeNames {
		if string(text) == name {
			*m = Mode(i)
			return nil
		}
	}
	return fmt.Errorf("verify %q: want %s", text, strings.Join(modeNames, ", "))
}

// String returns the mode's name.
func (m Mode) String() string { return modeNames[m] }

// MarshalText renders the mode as String does.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }
