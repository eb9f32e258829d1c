package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func someSettings() Settings {
	return MakeSettings(Setting{"replicas", "1,2,3"}, Setting{"durability", "fsync"})
}

// The bytes are part of the handshake and of the identity of data directories.
func TestSettingsMatchGoldenBytes(t *testing.T) {
	const golden = "0200" + // two settings
		"0a05" + "6475726162696c697479" + "6673796e63" + // durability fsync
		"0805" + "7265706c69636173" + "312c322c33" // replicas 1,2,3
	if got := hex.EncodeToString(AppendSettings(nil, someSettings())); got != golden {
		t.Errorf("encoded as %s, want %s", got, golden)
	}
	src, _ := hex.DecodeString(golden)
	s, n, err := DecodeSettings(append(src, "behind"...))
	if err != nil || n != len(src) || !reflect.DeepEqual(s, someSettings()) {
		t.Errorf("decoded as %v in %d bytes, %v", s, n, err)
	}
	clear(src)
	if s.Get("durability") != "fsync" || s.Get("reads") != "" {
		t.Errorf("durability %q, reads %q", s.Get("durability"), s.Get("reads"))
	}
}

func TestSettingsThatDoNotDecode(t *testing.T) {
	raw := func(count uint16, settings ...string) []byte {
		return append([]byte{byte(count), byte(count >> 8)}, strings.Join(settings, "")...)
	}
	var many []string
	for c := range 64 {
		many = append(many, "\x02\x1e"+string([]byte{'a' + byte(c/16), 'a' + byte(c%16)})+strings.Repeat("v", 30))
	}
	for _, tt := range []struct {
		name string
		src  []byte
		want error
	}{
		{"nothing", nil, ErrLength},
		{"half a count", []byte{1}, ErrLength},
		{"too many", raw(MaxSettings+1, many...), ErrLength},
		{"as many as allowed, but too long", raw(MaxSettings, many...), ErrLength},
		{"a count without settings", raw(1), ErrLength},
		{"half a header", raw(1, "\x01"), ErrLength},
		{"a name cut off", raw(1, "\x02\x01n"), ErrLength},
		{"a value cut off", raw(1, "\x01\x02nv"), ErrLength},
		{"no name", raw(1, "\x00\x01v"), ErrField},
		{"no value", raw(1, "\x01\x00n"), ErrField},
		{"a line end in a value", raw(1, "\x01\x01n\n"), ErrField},
		{"a byte that is no text", raw(1, "\x01\x01n\xff"), ErrField},
		{"a name twice", raw(2, "\x01\x01nv", "\x01\x01nw"), ErrField},
		{"names that descend", raw(2, "\x01\x01nv", "\x01\x01mv"), ErrField},
	} {
		if s, _, err := DecodeSettings(tt.src); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, %v; want %v", tt.name, s, err, tt.want)
		}
	}
	if _, _, err := DecodeSettings(raw(MaxSettings-10, many[:MaxSettings-10]...)); err != nil {
		t.Errorf("within the limits: %v", err)
	}
}

func TestDiff(t *testing.T) {
	base := MakeSettings(Setting{"b", "1"}, Setting{"d", "2"}, Setting{"f", "3"})
	for _, tt := range []struct {
		other Settings
		want  []Difference
	}{
		{base, nil},
		{nil, []Difference{{"b", "1", ""}, {"d", "2", ""}, {"f", "3", ""}}},
		{MakeSettings(Setting{"b", "1"}, Setting{"d", "x"}, Setting{"f", "3"}), []Difference{{"d", "2", "x"}}},
		{MakeSettings(Setting{"b", "1"}, Setting{"d", "2"}), []Difference{{"f", "3", ""}}},
		{MakeSettings(Setting{"a", "0"}, Setting{"b", "1"}, Setting{"d", "2"}, Setting{"e", "5"}, Setting{"f", "3"}, Setting{"g", "6"}),
			[]Difference{{"a", "", "0"}, {"e", "", "5"}, {"g", "", "6"}}},
		{MakeSettings(Setting{"b", "9"}, Setting{"c", "0"}, Setting{"f", "8"}),
			[]Difference{{"b", "1", "9"}, {"c", "", "0"}, {"d", "2", ""}, {"f", "3", "8"}}},
	} {
		if got := base.Diff(tt.other); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%v: %v, want %v", tt.other, got, tt.want)
		}
		for i, d := range tt.other.Diff(base) {
			if want := (Difference{tt.want[i].Name, tt.want[i].Other, tt.want[i].One}); d != want {
				t.Errorf("%v, from the other side: %v, want %v", tt.other, d, want)
			}
		}
	}
	const want = "durability: replica 2 has none, replica 1 has no such setting"
	if got := (Difference{"durability", "none", ""}).Text("replica 2", "replica 1"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// What is decoded, from whomever, is within the limits and encodes to the same bytes again.
func FuzzSettings(f *testing.F) {
	f.Add(AppendSettings(nil, someSettings()))
	f.Add([]byte{0, 0})
	f.Add([]byte{0xff, 0xff, 1, 1, 'a', 'b'})
	f.Fuzz(func(t *testing.T, src []byte) {
		s, n, err := DecodeSettings(src)
		if err != nil {
			return
		}
		if n > MaxSettingsBytes || len(s) > MaxSettings || !bytes.Equal(AppendSettings(nil, s), src[:n]) {
			t.Fatalf("%d bytes decode to %v, which encodes differently", n, s)
		}
		if d := s.Diff(MakeSettings(s...)); d != nil {
			t.Fatalf("differs from itself in %v", d)
		}
	})
}
