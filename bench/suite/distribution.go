package suite

import "paxosbench/bench/record"

// Shares are the percentages of its operations of which a run keeps within what time they were answered: enough to draw the
// distribution, where a whole histogram would fill a repository.
var Shares = []float64{
	0.1, 1, 2.5, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 92.5, 95, 97.5, 99, 99.5, 99.9, 99.99, 100,
}

// Distribution returns the latencies from when due, in nanoseconds, that so large Shares of a result's operations do not exceed. A
// result without operations or without histograms has none.
func Distribution(r *record.Result) ([]int64, error) {
	if r.HDR.Intended == "" {
		return nil, nil
	}
	set, err := r.HDR.Set()
	if err != nil || set.Intended.Count() == 0 {
		return nil, err
	}
	ns := make([]int64, len(Shares))
	for i, share := range Shares {
		ns[i] = int64(set.Intended.Percentile(share))
	}
	return ns, nil
}
