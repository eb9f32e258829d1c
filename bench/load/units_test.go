package load

import (
	"encoding"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestUnits(t *testing.T) {
	tests := []struct {
		text string
		into encoding.TextUnmarshaler
		want string // rendered; empty: refused
		hint string // in the error
	}{
		{"100", new(Rate), "100", ""},
		{"50k", new(Rate), "50k", ""},
		{"1.5M/s", new(Rate), "1.5M", ""},
		{"1234567", new(Rate), "1.234567M", ""},
		{"1G", new(Rate), "1G", ""},
		{"0.5", new(Rate), "0.5", ""},
		{"50K", new(Rate), "", "write k"},
		{"1m", new(Rate), "", "write M"},
		{"1,000", new(Rate), "", "without commas"},
		{"1e6", new(Rate), "", "not understood"},
		{"0", new(Rate), "", "positive"},
		{"-5", new(Rate), "", "not understood"},
		{"", new(Rate), "", "not understood"},
		{"100k", new(Count), "100k", ""},
		{"1.5k", new(Count), "1.5k", ""},
		{"1.5", new(Count), "", "whole number"},
		{"16", new(Size), "16", ""},
		{"16B", new(Size), "16", ""},
		{"1KiB", new(Size), "1KiB", ""},
		{"1.5MiB", new(Size), "1536KiB", ""},
		{"4kB", new(Size), "4000", ""},
		{"1K", new(Size), "", "1KiB (powers of 1024) or 1kB (powers of 1000)"},
		{"2k", new(Size), "", "2KiB (powers of 1024) or 2kB (powers of 1000)"},
		{"1M", new(Size), "", "1MiB (powers of 1024) or 1MB (powers of 1000)"},
		{"1.3B", new(Size), "", "whole number"},
		{"constant", new(Arrival), "constant", ""},
		{"poisson", new(Arrival), "poisson", ""},
		{"burst:100", new(Arrival), "burst:100", ""},
		{"burst", new(Arrival), "", "burst:N"},
		{"burst:0", new(Arrival), "", "at least 1"},
		{"poisson:3", new(Arrival), "", "want constant"},
		{"uniform", new(KeyDist), "uniform", ""},
		{"zipf:0.99", new(KeyDist), "zipf:0.99", ""},
		{"hot:0.1,0.9", new(KeyDist), "hot:0.1,0.9", ""},
		{"conflict:20", new(KeyDist), "conflict:20", ""},
		{"latest", new(KeyDist), "latest", ""},
		{"seq", new(KeyDist), "seq", ""},
		{"zipf", new(KeyDist), "", "zipf:THETA"},
		{"hot:0.1", new(KeyDist), "", "hot:KEYS,OPS"},
		{"conflict:101", new(KeyDist), "", "up to 100"},
		{"zipf:0", new(KeyDist), "", "above 0"},
		{"put:0.5,get:0.5", new(Mix), "put:0.5,get:0.5", ""},
		{"get:0.95,put:0.05", new(Mix), "put:0.05,get:0.95", ""},
		{"put:0.5", new(Mix), "", "sum to 0.5"},
		{"put:0.3333,get:0.6667", new(Mix), "", "three digits"},
		{"read:1", new(Mix), "", "op:share"},
		{"8", new(ValueSizes), "8", ""},
		{"uniform:16,1KiB", new(ValueSizes), "uniform:16,1KiB", ""},
		{"weighted:16@0.9,1KiB@0.1", new(ValueSizes), "weighted:16@0.9,1KiB@0.1", ""},
		{"uniform:10,5", new(ValueSizes), "", "smaller bound"},
		{"weighted:16@0.9", new(ValueSizes), "", "sum to 0.9"},
		{"2MiB", new(ValueSizes), "", "longest value"},
		{"zipf:3", new(ValueSizes), "", "want SIZE"},
		{"p99<5ms", new(Objective), "p99<5ms", ""},
		{"p99.9<20ms", new(Objective), "p99.9<20ms", ""},
		{"p999<20ms", new(Objective), "p99.9<20ms", ""},
		{"p99<5", new(Objective), "", "p99<5ms"},
		{"99<5ms", new(Objective), "", "percentile"},
		{"2/3", new(GeneratorID), "2/3", ""},
		{"0/3", new(GeneratorID), "", "I/N"},
		{"4/3", new(GeneratorID), "", "I/N"},
		{"history", new(VerifyMode), "history", ""},
		{"all", new(VerifyMode), "", "replies"},
		{"10s kill leader", new(PlannedEvent), "10s kill leader", ""},
		{"1.5s stop 2", new(PlannedEvent), "1.5s stop 2", ""},
		{"10s", new(PlannedEvent), "", "10s kill leader"},
		{"10s kill 1 2", new(PlannedEvent), "", "10s kill leader"},
		{"1s frobnicate leader", new(PlannedEvent), "", "want one of kill, start, stop, cont"},
		{"1s kill follower", new(PlannedEvent), "", "want an id, leader or victim"},
		{"1s kill 0", new(PlannedEvent), "", "want an id, leader or victim"},
		{"soon kill leader", new(PlannedEvent), "", `"soon" is no time`},
		{"ycsb-e", new(Preset), "", "scans of a range of keys"},
		{"ycsb-g", new(Preset), "", "ycsb-a, ycsb-b"},
	}
	for _, tt := range tests {
		err := tt.into.UnmarshalText([]byte(tt.text))
		if tt.want == "" {
			if err == nil || !strings.Contains(err.Error(), tt.hint) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%T %q: error %v, want one that quotes it and has %q", tt.into, tt.text, err, tt.hint)
			}
			continue
		}
		if err != nil {
			t.Errorf("%T %q: %v", tt.into, tt.text, err)
			continue
		}
		if got := fmt.Sprint(tt.into); got != tt.want {
			t.Errorf("%T %q renders as %q, want %q", tt.into, tt.text, got, tt.want)
		}
		if err := tt.into.UnmarshalText([]byte(tt.want)); err != nil {
			t.Errorf("%T does not read what it wrote: %v", tt.into, err)
		}
	}
}

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

func TestConfigReportsEverythingAtOnce(t *testing.T) {
	cfg := testConfig()
	cfg.Addrs, cfg.Conns, cfg.Clients, cfg.Threads = nil, 2, 1, 3
	cfg.Duration, cfg.Interval, cfg.Timeout = 0, time.Millisecond, 0
	cfg.Keys, cfg.CompressRatio, cfg.MaxErrors = 1, 0.5, 2
	cfg.Mix.UnmarshalText([]byte("get:1"))
	cfg.ValueSize.UnmarshalText([]byte("4"))
	err := cfg.Validate()
	for _, want := range []string{
		"give --addrs", "1 clients on 2", "3 threads for 2", "duration 0s", "interval 1ms", "timeout 0s",
		"raise --keys", "compression ratio", "max errors", "values of 4 bytes cannot be verified",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error does not mention %q:\n%v", want, err)
		}
	}
	if err := testConfig().Validate(); err != nil {
		t.Errorf("a valid configuration is refused: %v", err)
	}
}

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
