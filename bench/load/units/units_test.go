package units

import "testing"

// A decimal fraction of a thousand that is a whole number is taken for one, although its product is a little off.
func TestFractionsOfScales(t *testing.T) {
	for text, want := range map[string]Count{"1.005k": 1005, "0.29k": 290, "1.000001M": 1000001, "4.35M": 4350000} {
		var c Count
		if err := c.UnmarshalText([]byte(text)); err != nil || c != want {
			t.Errorf("%s: %d, %v", text, int64(c), err)
		}
	}
	var s Size
	if err := s.UnmarshalText([]byte("1.005kB")); err != nil || s != 1005 {
		t.Errorf("1.005kB: %d, %v", int64(s), err)
	}
	var c Count
	if err := c.UnmarshalText([]byte("1.0005k")); err == nil {
		t.Errorf("a half is counted as %d", int64(c))
	}
}
