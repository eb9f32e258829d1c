package bench

import (
	"strings"
	"testing"

	"paxosbench/bench/cluster"
	"paxosbench/bench/suite"
)

// What cannot be measured is refused by name before anything starts, and nothing of another system's cell goes to the wrong program.
func TestOtherSystems(t *testing.T) {
	others := map[string]*cluster.System{"one": {Name: "one", Replicas: 1}, "some": {Name: "some"}}
	for _, tt := range []struct {
		cell      string
		divides   bool
		refused   string
		replicas  int
		flags     int
		isAnother bool
	}{
		{"window=4 durability=none", false, "", 3, 1, false},
		{"system=paxosbench in-flight=4 durability=none", true, "", 3, 1, false},
		{"in-flight=4", false, "in-flight", 0, 0, false},
		{"system=one in-flight=4 durability=fsync", true, "", 1, 0, true},
		{"system=some durability=none", true, "", 3, 0, true},
		{"system=none-such", true, "system=none-such", 0, 0, false},
		{"system=some batch=none", true, "--batch=none: some has no such flag", 0, 0, false},
	} {
		cell, err := suite.ParseCell(tt.cell)
		if err != nil {
			t.Fatal(err)
		}
		s, err := newSetup(cell)
		if err != nil {
			t.Fatal(err)
		}
		err = s.find(others, tt.divides)
		if tt.refused != "" {
			if err == nil || !strings.Contains(err.Error(), tt.refused) {
				t.Errorf("%s: %v, want %q", tt.cell, err, tt.refused)
			}
			continue
		}
		if err != nil || s.replicas != tt.replicas || len(s.replicaFlags) != tt.flags || (s.system != nil) != tt.isAnother {
			t.Errorf("%s: %v, %+v", tt.cell, err, s)
		}
	}
}
