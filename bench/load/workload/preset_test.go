package workload

import "testing"

func TestPresetsApply(t *testing.T) {
	for name := range presets {
		var p Preset
		cfg := testConfig()
		if err := p.UnmarshalText([]byte(name)); err != nil {
			t.Error(err)
		}
		if err := p.Apply(cfg); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if cfg.Mix.String() != presets[name].mix || cfg.KeyDist.String() != presets[name].dist {
			t.Errorf("%s: mix %v, keys %v", name, cfg.Mix, cfg.KeyDist)
		}
	}
}
