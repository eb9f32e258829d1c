package replica

import "testing"

// A collection is worth it after an onslaught, not after every small rise and fall.
func TestFallen(t *testing.T) {
	const most = 256 << 20
	for _, tt := range []struct {
		name       string
		peak, held int
		want       bool
	}{
		{"nothing was ever held", 0, 0, false},
		{"an onslaught is over", most, 1 << 20, true},
		{"one goes on", most, most, false},
		{"it is not half over", most, most/2 + 1, false},
		{"it was small", most/16 - 1, 0, false},
		{"it was just large enough", most / 16, 0, true},
	} {
		if got := fallen(tt.peak, tt.held, most); got != tt.want {
			t.Errorf("%s: a peak of %d and %d held: %v, want %v", tt.name, tt.peak, tt.held, got, tt.want)
		}
	}
}
