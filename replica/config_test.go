package replica

import (
	"strings"
	"testing"
)

// Two replicas, or a replica's two sides, cannot listen at one address: the second would fail to start, or answer for the
// first.
func TestAddressesAreDistinct(t *testing.T) {
	for _, tt := range []struct {
		members []Member
		want    string // of the error, empty if there is none about addresses
	}{
		{[]Member{{1, "a:1", "a:2"}, {2, "a:3", "a:4"}}, ""},
		{[]Member{{1, "a:1", "a:2"}, {2, "b:1", "b:2"}}, ""},
		{[]Member{{1, ":1", ":2"}, {2, ":1", ":3"}}, `2 has the address ":1", and so has 1`},
		{[]Member{{1, ":1", ":2"}, {2, ":3", ":2"}}, `2 has the address ":2", and so has 1`},
		{[]Member{{1, ":1", ":1"}, {2, ":3", ":4"}}, `1 has the address ":1", and so has 1`},
	} {
		err := (&Config{ID: 1, Members: tt.members}).Validate()
		if err == nil || strings.Contains(err.Error(), "has the address") != (tt.want != "") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, want %q", tt.members, err, tt.want)
		}
	}
}
