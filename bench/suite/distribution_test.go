package suite

import (
	"slices"
	"testing"
	"time"

	"paxosbench/bench/record"
)

// TestDistributionOfAResult wants the times that so large shares of a thousand operations did not exceed, of which n took n times 10 µs,
// and nothing of a result without any.
func TestDistributionOfAResult(t *testing.T) {
	set := record.NewSet()
	var r record.Result
	if err := r.SetFigures(set); err != nil {
		t.Fatal(err)
	}
	if ns, err := Distribution(&r); err != nil || ns != nil {
		t.Errorf("of nothing: %v, %v", ns, err)
	}
	for n := range 1000 {
		set.Answer(0, 0, time.Duration(n+1)*10*time.Microsecond, 1)
	}
	if err := r.SetFigures(set); err != nil {
		t.Fatal(err)
	}
	ns, err := Distribution(&r)
	if err != nil || len(ns) != len(Shares) || !slices.IsSorted(Shares) {
		t.Fatalf("%v, %v", ns, err)
	}
	for i, share := range Shares {
		if want := share * 1e5; float64(ns[i]) < 0.99*want || float64(ns[i]) > 1.01*want+1e4 {
			t.Errorf("%v %% within %d ns, want about %v", share, ns[i], want)
		}
	}
	if ns, err := Distribution(&record.Result{}); err != nil || ns != nil {
		t.Errorf("without histograms: %v, %v", ns, err)
	}
	r.HDR.Intended = "damaged"
	if _, err := Distribution(&r); err == nil {
		t.Error("damage is not noticed")
	}
}
