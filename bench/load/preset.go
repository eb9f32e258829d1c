package load

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Preset is a well-known mix of operations and choice of keys, by name. The zero Preset changes nothing.
//
// The YCSB workloads are those of Cooper et al. (SoCC 2010) with Zipf's constant as in their code. D reads what its
// own session wrote last. In F, read-modify-write is one compare-and-set with the value that the session believes to
// be there. E is missing: there are no scans.
type Preset struct{ name string }

var presets = map[string]struct{ mix, dist string }{
	"ycsb-a": {"put:0.5,get:0.5", "zipf:0.99"},
	"ycsb-b": {"put:0.05,get:0.95", "zipf:0.99"},
	"ycsb-c": {"get:1", "zipf:0.99"},
	"ycsb-d": {"put:0.05,get:0.95", "latest"},
	"ycsb-f": {"get:0.5,cas:0.5", "zipf:0.99"},
}

// UnmarshalText parses a preset's name.
func (p *Preset) UnmarshalText(text []byte) error {
	if _, ok := presets[string(text)]; !ok {
		names := slices.Sorted(maps.Keys(presets))
		return fmt.Errorf("workload %q: want one of %s", text, strings.Join(names, ", "))
	}
	p.name = string(text)
	return nil
}

// Apply sets the mix and the distribution of keys.
func (p Preset) Apply(c *Config) error {
	preset, ok := presets[p.name]
	if !ok {
		return nil
	}
	if err := c.Mix.UnmarshalText([]byte(preset.mix)); err != nil {
		return err
	}
	return c.KeyDist.UnmarshalText([]byte(preset.dist))
}
