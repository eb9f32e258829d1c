package report

import (
	"strings"
	"testing"

	"paxosbench/bench/chart/charttest"
)

// TestAdaptiveWithOthersInFlight wants a table to say that the setting it compares with had fewer commands in flight, whether they
// lacked in a window or in connections, and nothing where they are as many.
func TestAdaptiveWithOthersInFlight(t *testing.T) {
	for set, want := range map[string]string{
		"": "none", "{window: 64}": "none, with 256 in flight instead of 4096", "{conns: 1}": "none, with 1024 in flight instead of 4096",
	} {
		text := strings.Replace(mixed, `"count:64", `, "", 1)
		if set != "" {
			text = strings.Replace(text, "repeats:", "adjust: [{when: {batch: none}, set: "+set+"}]\nrepeats:", 1)
		}
		dir := results(t, text)
		for _, row := range adaptiveTables(dir.Suite, dir.Runs())[0].Rows {
			if row[3].Text != want {
				t.Errorf("adjusted by %q: the setting is %q, want %q", set, row[3].Text, want)
			}
		}
	}
}

// TestCalibratedForAnother wants a report to say that the bound was calibrated for another commit and host.
func TestCalibratedForAnother(t *testing.T) {
	dir := results(t, mixed)
	c := charttest.Calibration()
	c.Commit, c.Host = "abcdef", "elsewhere"
	p := page{Dir: dir, Calibration: c}
	for _, want := range []string{"Another commit abcdef, and the runs are of 0123456789ab", "host elsewhere with 2 processors, and the runs are of synthetic"} {
		if text := p.Model(); !strings.Contains(text, want) {
			t.Errorf("no %q in %q", want, text)
		}
	}
	if c.Commit, c.Host = dir.Manifest.Commit, dir.Manifest.Host.Name; strings.Contains(p.Model(), "Another") {
		t.Errorf("of the same: %q", p.Model())
	}
}
