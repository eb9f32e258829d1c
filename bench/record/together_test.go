package record

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// generators returns results that n generators have measured together.
func generators(t *testing.T, n int) []*Result {
	t.Helper()
	results := make([]*Result, n)
	for i := range results {
		r := resultOf(t, fmt.Sprint("host-", i+1), samples(uint64(i), 100), Valid)
		r.StartedAt = r.StartedAt.Add(time.Duration(i) * 10 * time.Millisecond)
		r.Config = map[string]any{"mode": "open", "warmup": "2s", "keys": 1e5, "rate_ops_per_s": 1000.0, "seed": 1.0, "generator": fmt.Sprintf("%d/%d", i+1, n)}
		results[i] = r
	}
	return results
}

func TestOnlyPartsOfOneMeasurementAreMerged(t *testing.T) {
	again := func(t *testing.T, r *Result) *Result { // as if read from a copy
		t.Helper()
		text, err := r.MarshalIndented()
		if err != nil {
			t.Fatal(err)
		}
		var copied Result
		if err := json.Unmarshal(text, &copied); err != nil {
			t.Fatal(err)
		}
		return &copied
	}
	tests := []struct {
		name  string
		spoil func(t *testing.T, results []*Result)
		want  string // in the error; empty: they are merged
	}{
		{"good", func(*testing.T, []*Result) {}, ""},
		{"other seed", func(_ *testing.T, r []*Result) { r[1].Config["seed"] = 2.0 }, ""},
		{"the same one", func(_ *testing.T, r []*Result) { r[1] = r[0] }, "results 1 and 2 hold the same run of generator \"host-1\""},
		{"a copy", func(t *testing.T, r []*Result) { r[2] = again(t, r[0]) }, "results 1 and 3 hold the same run"},
		{"one that another holds", func(t *testing.T, r []*Result) {
			merged, _, err := Merge(r[:2])
			if err != nil {
				t.Fatal(err)
			}
			r[0] = again(t, merged)
		}, "results 1 and 2 hold the same run of generator \"host-2\""},
		{"closed and open", func(_ *testing.T, r []*Result) { r[1].Config["mode"] = "closed" }, "differ in mode (open, closed)"},
		{"other warm-up", func(_ *testing.T, r []*Result) { r[2].Config["warmup"] = "1s" }, "differ in warmup (2s, 1s)"},
		{"other keys", func(_ *testing.T, r []*Result) { r[1].Config["keys"] = 5.0 }, "differ in keys (100000, 5)"},
		{"the same part of the keys", func(_ *testing.T, r []*Result) { r[1].Config["generator"] = "1/3" }, "--generator 1/N"},
		{"keys divided in another way", func(_ *testing.T, r []*Result) { r[1].Config["generator"] = "2/2" }, "--generator 1/N"},
		{"one after the other", func(_ *testing.T, r []*Result) { r[1].StartedAt = r[0].StartedAt.Add(10 * time.Second) }, "--start-at"},
	}
	for _, tt := range tests {
		results := generators(t, 3)
		tt.spoil(t, results)
		merged, _, err := Merge(results)
		switch {
		case tt.want == "" && (err != nil || merged.Verdict != Valid || merged.Config["generator"] != "1/3, 2/3, 3/3"):
			t.Errorf("%s: error %v, merged %+v", tt.name, err, merged)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
}

// Results that do add up, though not to all that one might think, are merged with a reservation.
func TestMergedWithReservations(t *testing.T) {
	tests := []struct {
		name   string
		spoil  func([]*Result)
		reason string
	}{
		{"late by a second of ten", func(r []*Result) { r[1].StartedAt = r[0].StartedAt.Add(time.Second) },
			"overlap: for part of the time not all generators measured: give all of them the same --start-at (0.9, limit 0.95 of the measurement)"},
		{"interrupted", func(r []*Result) { r[1].MeasuredS = 5 }, "overlap: "},
		{"other rate", func(r []*Result) { r[1].Config["rate_ops_per_s"] = 7.0 },
			"configuration: the generators differ in rate_ops_per_s (1000, 7): the configuration shown is that of the first (1, limit 0)"},
	}
	for _, tt := range tests {
		results := generators(t, 2)
		tt.spoil(results)
		merged, _, err := Merge(results)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if merged.Verdict != Degraded || len(merged.Reasons) != 1 || !strings.HasPrefix(merged.Reasons[0], tt.reason) {
			t.Errorf("%s: %s because of %q", tt.name, merged.Verdict, merged.Reasons)
		}
	}
}

// A generator that was forgotten can be added to a merged result.
func TestMergedInSteps(t *testing.T) {
	results := generators(t, 3)
	first, _, err := Merge(results[:2])
	if err != nil {
		t.Fatal(err)
	}
	merged, _, err := Merge([]*Result{first, results[2]})
	if err != nil {
		t.Fatal(err)
	}
	if merged.Verdict != Valid || len(merged.Generators) != 3 || merged.Config["generator"] != "1/3, 2/3, 3/3" || first.Config["generator"] != "1/3, 2/3" {
		t.Errorf("%s because of %q, generators %v", merged.Verdict, merged.Reasons, merged.Config["generator"])
	}
}
