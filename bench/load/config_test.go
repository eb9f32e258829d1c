package load

import (
	"encoding"
	"fmt"
	"strings"
	"testing"
	"time"

	"paxosbench/bench/load/events"
	"paxosbench/bench/load/pacing"
	"paxosbench/bench/load/units"
	"paxosbench/bench/load/verdict"
	"paxosbench/bench/load/verify"
	"paxosbench/bench/load/workload"
)

func TestTexts(t *testing.T) {
	tests := []struct {
		text string
		into encoding.TextUnmarshaler
		want string // rendered; empty: refused
		hint string // in the error
	}{
		{"100", new(units.Rate), "100", ""},
		{"50k", new(units.Rate), "50k", ""},
		{"1.5M/s", new(units.Rate), "1.5M", ""},
		{"1234567", new(units.Rate), "1.234567M", ""},
		{"1G", new(units.Rate), "1G", ""},
		{"0.5", new(units.Rate), "0.5", ""},
		{"50K", new(units.Rate), "", "write k"},
		{"1m", new(units.Rate), "", "write M"},
		{"1,000", new(units.Rate), "", "without commas"},
		{"1e6", new(units.Rate), "", "not understood"},
		{"0", new(units.Rate), "", "positive"},
		{"-5", new(units.Rate), "", "not understood"},
		{"", new(units.Rate), "", "not understood"},
		{"100k", new(units.Count), "100k", ""},
		{"1.5k", new(units.Count), "1.5k", ""},
		{"1.5", new(units.Count), "", "whole number"},
		{"16", new(units.Size), "16", ""},
		{"16B", new(units.Size), "16", ""},
		{"1KiB", new(units.Size), "1KiB", ""},
		{"1.5MiB", new(units.Size), "1536KiB", ""},
		{"4kB", new(units.Size), "4000", ""},
		{"1K", new(units.Size), "", "1KiB (powers of 1024) or 1kB (powers of 1000)"},
		{"2k", new(units.Size), "", "2KiB (powers of 1024) or 2kB (powers of 1000)"},
		{"1M", new(units.Size), "", "1MiB (powers of 1024) or 1MB (powers of 1000)"},
		{"1.3B", new(units.Size), "", "whole number"},
		{"constant", new(pacing.Arrival), "constant", ""},
		{"poisson", new(pacing.Arrival), "poisson", ""},
		{"burst:100", new(pacing.Arrival), "burst:100", ""},
		{"burst", new(pacing.Arrival), "", "burst:N"},
		{"burst:0", new(pacing.Arrival), "", "at least 1"},
		{"poisson:3", new(pacing.Arrival), "", "want constant"},
		{"uniform", new(workload.KeyDist), "uniform", ""},
		{"zipf:0.99", new(workload.KeyDist), "zipf:0.99", ""},
		{"hot:0.1,0.9", new(workload.KeyDist), "hot:0.1,0.9", ""},
		{"conflict:20", new(workload.KeyDist), "conflict:20", ""},
		{"latest", new(workload.KeyDist), "latest", ""},
		{"seq", new(workload.KeyDist), "seq", ""},
		{"zipf", new(workload.KeyDist), "", "zipf:THETA"},
		{"hot:0.1", new(workload.KeyDist), "", "hot:KEYS,OPS"},
		{"conflict:101", new(workload.KeyDist), "", "up to 100"},
		{"zipf:0", new(workload.KeyDist), "", "above 0"},
		{"put:0.5,get:0.5", new(workload.Mix), "put:0.5,get:0.5", ""},
		{"get:0.95,put:0.05", new(workload.Mix), "put:0.05,get:0.95", ""},
		{"put:0.5", new(workload.Mix), "", "sum to 0.5"},
		{"put:0.3333,get:0.6667", new(workload.Mix), "", "three digits"},
		{"read:1", new(workload.Mix), "", "op:share"},
		{"8", new(workload.ValueSizes), "8", ""},
		{"uniform:16,1KiB", new(workload.ValueSizes), "uniform:16,1KiB", ""},
		{"weighted:16@0.9,1KiB@0.1", new(workload.ValueSizes), "weighted:16@0.9,1KiB@0.1", ""},
		{"uniform:10,5", new(workload.ValueSizes), "", "smaller bound"},
		{"weighted:16@0.9", new(workload.ValueSizes), "", "sum to 0.9"},
		{"2MiB", new(workload.ValueSizes), "", "longest value"},
		{"zipf:3", new(workload.ValueSizes), "", "want SIZE"},
		{"p99<5ms", new(verdict.Objective), "p99<5ms", ""},
		{"p99.9<20ms", new(verdict.Objective), "p99.9<20ms", ""},
		{"p999<20ms", new(verdict.Objective), "p99.9<20ms", ""},
		{"p99<5", new(verdict.Objective), "", "p99<5ms"},
		{"99<5ms", new(verdict.Objective), "", "percentile"},
		{"2/3", new(units.GeneratorID), "2/3", ""},
		{"0/3", new(units.GeneratorID), "", "I/N"},
		{"4/3", new(units.GeneratorID), "", "I/N"},
		{"history", new(verify.Mode), "history", ""},
		{"all", new(verify.Mode), "", "replies"},
		{"10s kill leader", new(events.Planned), "10s kill leader", ""},
		{"1.5s stop 2", new(events.Planned), "1.5s stop 2", ""},
		{"10s", new(events.Planned), "", "10s kill leader"},
		{"10s kill 1 2", new(events.Planned), "", "10s kill leader"},
		{"1s frobnicate leader", new(events.Planned), "", "want one of kill, start, stop, cont"},
		{"1s kill follower", new(events.Planned), "", "want an id, leader or victim"},
		{"1s kill 0", new(events.Planned), "", "want an id, leader or victim"},
		{"soon kill leader", new(events.Planned), "", `"soon" is no time`},
		{"ycsb-e", new(workload.Preset), "", "scans of a range of keys"},
		{"ycsb-g", new(workload.Preset), "", "ycsb-a, ycsb-b"},
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
