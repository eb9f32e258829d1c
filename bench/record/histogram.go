// Package record keeps what a load generator measures: histograms with exact extremes, counters that must sum, the
// series of intervals, and the result that a run leaves behind, which can be merged with those of other generators.
package record

import (
	"fmt"
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Histograms record nanoseconds with three significant digits up to ten minutes, longer than any operation is waited
// for. What lies beyond is counted at the limit and in Clamped; the exact maximum is kept anyway.
const (
	lowestNs          = 1
	highestNs         = int64(10 * time.Minute)
	significantDigits = 3
)

// Histogram is an HDR histogram of durations beside which the exact count, sum, minimum and maximum are kept, which
// the buckets only have to within their width. It is not safe for concurrent use: each thread records into its own,
// and they are merged off the hot path.
type Histogram struct {
	hdr     *hdrhistogram.Histogram
	count   int64
	sum     Sum
	min     int64
	max     int64
	clamped int64
}

// NewHistogram returns an empty histogram. It takes about 250 KiB.
func NewHistogram() *Histogram {
	return &Histogram{hdr: hdrhistogram.New(lowestNs, highestNs, significantDigits), min: math.MaxInt64}
}

// Record adds n observations of d. Negative durations count as 0.
func (h *Histogram) Record(d time.Duration, n int64) {
	v := max(int64(d), 0)
	h.count += n
	h.sum.Add(v, n)
	h.min = min(h.min, v)
	h.max = max(h.max, v)
	if v > highestNs {
		v = highestNs
		h.clamped += n
	}
	if err := h.hdr.RecordValues(v, n); err != nil {
		panic(fmt.Sprintf("BUG: %d observations of %d ns: %v", n, v, err))
	}
}

// Reset empties the histogram.
func (h *Histogram) Reset() {
	h.hdr.Reset()
	h.count, h.sum, h.min, h.max, h.clamped = 0, Sum{}, math.MaxInt64, 0, 0
}

// Merge adds the observations of o.
func (h *Histogram) Merge(o *Histogram) {
	if dropped := h.hdr.Merge(o.hdr); dropped != 0 {
		panic(fmt.Sprintf("BUG: merging histograms of one shape dropped %d observations", dropped))
	}
	h.count += o.count
	h.sum.Merge(o.sum)
	h.min = min(h.min, o.min)
	h.max = max(h.max, o.max)
	h.clamped += o.clamped
}

// Count returns the number of observations.
func (h *Histogram) Count() int64 { return h.count }

// Clamped returns the number of observations beyond the histogram's range.
func (h *Histogram) Clamped() int64 { return h.clamped }

// Min returns the exact smallest observation, 0 if there is none.
func (h *Histogram) Min() time.Duration {
	if h.count == 0 {
		return 0
	}
	return time.Duration(h.min)
}

// Max returns the exact largest observation, 0 if there is none.
func (h *Histogram) Max() time.Duration { return time.Duration(h.max) }

// Mean returns the exact mean, 0 if there is no observation.
func (h *Histogram) Mean() time.Duration {
	if h.count == 0 {
		return 0
	}
	return time.Duration(h.sum.Over(h.count))
}

// rankTolerance absorbs what floating point adds to a rank: 99.9 % of 1000 are 999, not a little more.
const rankTolerance = 1e-6

// Percentile returns the smallest value that at least p percent (0 to 100) of the observations do not exceed, to three
// significant digits and never beyond the exact maximum.
//
// The library rounds the rank to the nearest one, so that of 151 observations its p99 is the 149th, which only 98.7 %
// do not exceed; its percentile table rounds up, as here. It is asked for the middle of the rank that is meant.
func (h *Histogram) Percentile(p float64) time.Duration {
	if h.count == 0 {
		return 0
	}
	n := float64(h.count)
	rank := max(1, math.Ceil(p/100*n-rankTolerance))
	return min(time.Duration(h.hdr.ValueAtPercentile(100*(rank-0.25)/n)), h.Max())
}

// Latency is the summary of a histogram as it stands in a result. All values are nanoseconds.
type Latency struct {
	P50  int64 `json:"p50"`
	P90  int64 `json:"p90"`
	P99  int64 `json:"p99"`
	P999 int64 `json:"p999"`
	// P9999 means something from 100,000 observations on, P999 from 10,000 on; renderers leave them out below that.
	P9999   int64 `json:"p9999"`
	Max     int64 `json:"max"`
	Min     int64 `json:"min"`
	Mean    int64 `json:"mean"`
	Count   int64 `json:"count"`
	Clamped int64 `json:"clamped,omitempty"`
}

// Summary returns the histogram's summary.
func (h *Histogram) Summary() Latency {
	return Latency{
		P50:     int64(h.Percentile(50)),
		P90:     int64(h.Percentile(90)),
		P99:     int64(h.Percentile(99)),
		P999:    int64(h.Percentile(99.9)),
		P9999:   int64(h.Percentile(99.99)),
		Max:     int64(h.Max()),
		Min:     int64(h.Min()),
		Mean:    int64(h.Mean()),
		Count:   h.count,
		Clamped: h.clamped,
	}
}

// Ns renders nanoseconds with three significant digits.
func Ns(ns int64) string {
	d := time.Duration(ns)
	for unit := time.Duration(1); unit <= time.Second; unit *= 10 {
		if d < 1000*unit {
			return d.Round(unit).String()
		}
	}
	return d.Round(time.Second).String()
}

// Exact carries the figures that the encoded histogram has only to within its resolution.
type Exact struct {
	SumNs Sum   `json:"sum_ns"`
	MinNs int64 `json:"min_ns"`
	MaxNs int64 `json:"max_ns"`
}

// Encode returns the histogram in HdrHistogram's V2 format, compressed, in base64, and its exact figures.
func (h *Histogram) Encode() (string, Exact, error) {
	encoded, err := h.hdr.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return "", Exact{}, fmt.Errorf("encode histogram: %w", err)
	}
	return string(encoded), Exact{SumNs: h.sum, MinNs: int64(h.Min()), MaxNs: h.max}, nil
}

// DecodeHistogram returns the histogram that Encode wrote.
func DecodeHistogram(encoded string, exact Exact) (*Histogram, error) {
	hdr, err := hdrhistogram.Decode([]byte(encoded))
	if err != nil {
		return nil, fmt.Errorf("decode histogram: %w", err)
	}
	h := NewHistogram()
	if dropped := h.hdr.Merge(hdr); dropped != 0 {
		return nil, fmt.Errorf("decode histogram: %d observations lie beyond %v", dropped, time.Duration(highestNs))
	}
	h.count = hdr.TotalCount()
	h.sum = exact.SumNs
	h.max = exact.MaxNs
	if h.count > 0 {
		h.min = exact.MinNs
	}
	return h, nil
}
