package workload

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Preset is a well-known workload by name: its mix of operations, choice of keys and size of values. The zero Preset changes
// nothing.
//
// The YCSB workloads are those of Cooper et al. (SoCC 2010), with Zipf's constant and the scattering of ranks as in their
// code. What differs is in docs/loadgen.md.
type Preset struct{ name string }

// ycsbValue is the record of YCSB: ten fields of a hundred bytes.
const ycsbValue = "1000"

var presets = map[string]struct{ mix, dist, size string }{
	"ycsb-a": {"put:0.5,get:0.5", "scattered:0.99", ycsbValue},
	"ycsb-b": {"put:0.05,get:0.95", "scattered:0.99", ycsbValue},
	"ycsb-c": {"get:1", "scattered:0.99", ycsbValue},
	"ycsb-d": {"put:0.05,get:0.95", "latest", ycsbValue},
	"ycsb-f": {mixReadModifyWrite, "scattered:0.99", ycsbValue},
}

// UnmarshalText parses a preset's name.
func (p *Preset) UnmarshalText(text []byte) error {
	if string(text) == "ycsb-e" {
		return fmt.Errorf("workload %q: 95 %% of it are scans of a range of keys, and the replicas' store has none: it cannot be run", text)
	}
	if _, ok := presets[string(text)]; !ok {
		names := slices.Sorted(maps.Keys(presets))
		return fmt.Errorf("workload %q: want one of %s", text, strings.Join(names, ", "))
	}
	p.name = string(text)
	return nil
}

// Apply sets the mix, the distribution of keys and the size of values, as far as the preset has them.
func (p Preset) Apply(c *Config) error {
	preset, ok := presets[p.name]
	if !ok {
		return nil
	}
	if err := c.Mix.UnmarshalText([]byte(preset.mix)); err != nil {
		return err
	}
	if err := c.ValueSize.UnmarshalText([]byte(preset.size)); err != nil {
		return err
	}
	return c.KeyDist.UnmarshalText([]byte(preset.dist))
}
