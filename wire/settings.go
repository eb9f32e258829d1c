package wire

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
)

// Setting is one thing that replicas must agree on: the name of the flag, and its value as the flag spells it. Neither
// is empty, and both are printable ASCII.
type Setting struct {
	Name, Value string
}

// Settings is what replicas must agree on, in ascending order of distinct names, so that equal lists are equal bytes
// and two lists are compared in one pass.
//
//	offset size
//	0      2    number of settings
//	2           the settings, one behind the other
//
//	offset size (of a setting)
//	0      1    length of the name
//	1      1    length of the value
//	2           the name, behind it the value
type Settings []Setting

// Limits of Settings.
const (
	MaxSettings      = 64       // settings in a list
	MaxSettingText   = 1<<8 - 1 // bytes of a name, and of a value
	MaxSettingsBytes = 2 << 10  // bytes of an encoded list

	settingsHeader = 2 // bytes in front of the first setting
	settingHeader  = 2 // bytes in front of a name
)

// MakeSettings returns the list of the given settings. What Settings does not allow is a bug.
func MakeSettings(list ...Setting) Settings {
	s := Settings(slices.Clone(list))
	slices.SortFunc(s, func(a, b Setting) int { return strings.Compare(a.Name, b.Name) })
	if err := s.check(); err != nil {
		panic("BUG: " + err.Error())
	}
	return s
}

// Get returns the value of a setting, empty if the list does not have it.
func (s Settings) Get(name string) string {
	for _, setting := range s {
		if setting.Name == name {
			return setting.Value
		}
	}
	return ""
}

// Hash sums up a list where there is no room for it: it can show that two differ, not in what.
func (s Settings) Hash() uint64 {
	h := fnv.New64a()
	_, _ = h.Write(AppendSettings(nil, s)) // never fails
	return h.Sum64()
}

// check returns what is wrong with a list.
func (s Settings) check() error {
	size, last := settingsHeader, ""
	for _, setting := range s {
		if !settingText(setting.Name) || !settingText(setting.Value) {
			return fmt.Errorf("%w: setting %q with value %q: want 1 to %d printable characters", ErrField, setting.Name, setting.Value, MaxSettingText)
		}
		if setting.Name <= last {
			return fmt.Errorf("%w: setting %q after %q: names ascend", ErrField, setting.Name, last)
		}
		size, last = size+settingHeader+len(setting.Name)+len(setting.Value), setting.Name
	}
	if len(s) > MaxSettings || size > MaxSettingsBytes {
		return fmt.Errorf("%w: %d settings in %d bytes, limits %d and %d", ErrLength, len(s), size, MaxSettings, MaxSettingsBytes)
	}
	return nil
}

// settingText reports whether text may be a name or a value. It ends up in logs and in messages to people.
func settingText(text string) bool {
	unprintable := func(r rune) bool { return r < ' ' || r > '~' }
	return len(text) > 0 && len(text) <= MaxSettingText && !strings.ContainsFunc(text, unprintable)
}

// AppendSettings appends the encoded list.
func AppendSettings(dst []byte, s Settings) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(s)))
	for _, setting := range s {
		dst = append(dst, byte(len(setting.Name)), byte(len(setting.Value)))
		dst = append(dst, setting.Name...)
		dst = append(dst, setting.Value...)
	}
	return dst
}

// DecodeSettings returns the list at the start of src and its encoded length. It keeps no reference to src.
func DecodeSettings(src []byte) (Settings, int, error) {
	if len(src) < settingsHeader {
		return nil, 0, fmt.Errorf("%w: settings in %d bytes", ErrLength, len(src))
	}
	count, n := int(binary.LittleEndian.Uint16(src)), settingsHeader
	if count > MaxSettings {
		return nil, 0, fmt.Errorf("%w: %d settings, limit %d", ErrLength, count, MaxSettings)
	}
	s := make(Settings, count)
	for i := range s {
		size, ok := decodeSetting(&s[i], src[n:])
		if !ok {
			return nil, 0, fmt.Errorf("%w: setting %d of %d is cut off", ErrLength, i+1, count)
		}
		n += size
	}
	if err := s.check(); err != nil {
		return nil, 0, err
	}
	return s, n, nil
}

func decodeSetting(s *Setting, src []byte) (size int, ok bool) {
	if len(src) < settingHeader {
		return 0, false
	}
	nameEnd := settingHeader + int(src[0])
	size = nameEnd + int(src[1])
	if len(src) < size {
		return 0, false
	}
	s.Name, s.Value = string(src[settingHeader:nameEnd]), string(src[nameEnd:size])
	return size, true
}

// Difference is a setting that two lists do not agree on, with both values; an empty one is missing in its list.
type Difference struct {
	Name       string
	One, Other string
}

// Diff returns where s, whose values are One, and other differ, in the order of names.
func (s Settings) Diff(other Settings) []Difference {
	var found []Difference
	for len(s) > 0 || len(other) > 0 {
		switch {
		case len(other) == 0 || len(s) > 0 && s[0].Name < other[0].Name:
			found = append(found, Difference{s[0].Name, s[0].Value, ""})
			s = s[1:]
		case len(s) == 0 || other[0].Name < s[0].Name:
			found = append(found, Difference{other[0].Name, "", other[0].Value})
			other = other[1:]
		default:
			if s[0].Value != other[0].Value {
				found = append(found, Difference{s[0].Name, s[0].Value, other[0].Value})
			}
			s, other = s[1:], other[1:]
		}
	}
	return found
}

// Text says what differs, for instance "durability: replica 2 has none, replica 1 has fsync", where one and other are
// whom the values belong to.
func (d Difference) Text(one, other string) string {
	return fmt.Sprintf("%s: %s has %s, %s has %s", d.Name, one, orUnknown(d.One), other, orUnknown(d.Other))
}

func orUnknown(value string) string {
	if value == "" {
		return "no such setting"
	}
	return value
}
