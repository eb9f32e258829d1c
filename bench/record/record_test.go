package record

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// resolution is the width of a bucket relative to its values, with three significant digits.
const resolution = 1.0 / 1000

// samples returns n durations whose logarithms are evenly spread from 10 us to 1 s, the same for a seed.
func samples(seed uint64, n int) []time.Duration {
	rng := rand.New(rand.NewPCG(seed, 0))
	s := make([]time.Duration, n)
	for i := range s {
		s[i] = time.Duration(10_000 * math.Pow(10, 5*rng.Float64()))
	}
	return s
}

func recorded(durations ...[]time.Duration) *Histogram {
	h := NewHistogram()
	for _, d := range slices.Concat(durations...) {
		h.Record(d, 1)
	}
	return h
}

// exactPercentile is the textbook's: the smallest sample that at least p percent do not exceed.
func exactPercentile(sorted []time.Duration, p float64) time.Duration {
	rank := int(math.Ceil(math.Round(p*float64(len(sorted))*1e6) / 1e8)) // p has few digits: the product is rounded to them
	return sorted[max(rank, 1)-1]
}

func near(got, want time.Duration) bool {
	return math.Abs(float64(got-want)) <= resolution*float64(want)+1
}

func TestHistogramMatchesRawSamples(t *testing.T) {
	raw := samples(1, 50_000)
	h := recorded(raw)
	slices.Sort(raw)
	var sum time.Duration
	for _, d := range raw {
		sum += d
	}
	if h.Count() != 50_000 || h.sum.Over(1) != int64(sum) || h.Min() != raw[0] || h.Max() != raw[len(raw)-1] || h.Mean() != sum/50_000 {
		t.Errorf("count %d, sum %v, min %v, max %v, mean %v", h.Count(), h.sum.Over(1), h.Min(), h.Max(), h.Mean())
	}
	for _, p := range []float64{1, 50, 90, 99, 99.9, 99.99, 100} {
		if got, want := h.Percentile(p), exactPercentile(raw, p); !near(got, want) {
			t.Errorf("p%v is %v, of the samples %v", p, got, want)
		}
	}
}

// With few observations the rank matters: a percentile that was rounded down would promise too much.
func TestPercentilesOfFewObservations(t *testing.T) {
	for _, n := range []int{1, 2, 3, 10, 99, 100, 101, 151, 1000, 1001} {
		raw := samples(uint64(n), n)
		h := recorded(raw)
		slices.Sort(raw)
		for _, p := range []float64{0, 0.1, 1, 25, 50, 75, 90, 99, 99.9, 99.99, 100} {
			if got, want := h.Percentile(p), exactPercentile(raw, p); !near(got, want) {
				t.Errorf("p%v of %d is %v, of the samples %v", p, n, got, want)
			}
		}
	}
}

func TestHistogramKeepsWhatIsOutOfRange(t *testing.T) {
	h := NewHistogram()
	h.Record(-time.Second, 1)
	h.Record(time.Hour, 2)
	if h.Min() != 0 || h.Max() != time.Hour || h.Clamped() != 2 || h.Count() != 3 || h.sum.Over(1) != int64(2*time.Hour) {
		t.Errorf("%+v", h.Summary())
	}
	h.Reset()
	if h.Count() != 0 || h.Min() != 0 || h.Max() != 0 || h.Percentile(99) != 0 || h.Mean() != 0 {
		t.Errorf("after Reset: %+v", h.Summary())
	}
}

func TestRecordingDoesNotAllocate(t *testing.T) {
	set := NewSet()
	if n := testing.AllocsPerRun(1000, func() {
		set.Send(1000, 2000, 64)
		set.Answer(1000, 2000, 90_000, 64)
	}); n != 0 {
		t.Errorf("%v allocations per group of answers", n)
	}
}

func TestEncodedHistogramComesBack(t *testing.T) {
	for _, h := range []*Histogram{NewHistogram(), recorded(samples(2, 10_000))} {
		text, exact, err := h.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := DecodeHistogram(text, exact)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := back.Summary(), h.Summary(); got != want {
			t.Errorf("came back as %+v, was %+v", got, want)
		}
	}
	if _, err := DecodeHistogram("bm90IGEgaGlzdG9ncmFt", Exact{}); err == nil {
		t.Error("decoded what is no histogram")
	}
}

// resultOf is the result of a generator that measured the given samples over ten seconds.
func resultOf(t *testing.T, name string, raw []time.Duration, verdict Verdict) *Result {
	t.Helper()
	set := NewSet()
	for _, d := range raw {
		set.Send(0, 0, 1)
		set.Answer(0, d/2, d, 1)
	}
	set.Counts.Scheduled, set.Counts.OK = int64(len(raw)), int64(len(raw))
	r := &Result{
		Schema: Schema, Verdict: verdict, ThroughputOpsPerS: float64(len(raw)) / 10, MeasuredS: 10, StartedAt: time.Unix(1e9, 0),
		Generator: Generator{Name: name, ThroughputOpsPerS: float64(len(raw)) / 10},
	}
	if verdict != Valid {
		r.Reasons = []string{"for a test"}
	}
	if err := r.SetFigures(set); err != nil {
		t.Fatal(err)
	}
	return r
}

// Percentiles of merged results are those of the pooled raw samples, not averages of percentiles.
func TestMergedPercentilesAreThoseOfThePool(t *testing.T) {
	fast, slow := samples(3, 30_000), samples(4, 10_000)
	for i := range slow {
		slow[i] += time.Second // so that averaging percentiles would show
	}
	first := resultOf(t, "a", fast, Valid)
	first.Replicas = []Replica{{ID: 1, CPUNsPerOp: 200, CPUShare: 0.6}}
	merged, set, err := Merge([]*Result{first, resultOf(t, "b", slow, Degraded)})
	if err != nil {
		t.Fatal(err)
	}
	pool := slices.Concat(fast, slow)
	slices.Sort(pool)
	for _, p := range []float64{50, 75, 90, 99, 99.9} {
		if got, want := set.Intended.Percentile(p), exactPercentile(pool, p); !near(got, want) {
			t.Errorf("p%v is %v, of the pool %v", p, got, want)
		}
	}
	if merged.Latency.Count != 40_000 || merged.Latency.Max != int64(pool[len(pool)-1]) || merged.Latency.Min != int64(pool[0]) {
		t.Errorf("latency %+v", merged.Latency)
	}
	if merged.ThroughputOpsPerS != 4000 || merged.Ops.OK != 40_000 || !merged.Ops.Consistent() {
		t.Errorf("%v op/s, %+v", merged.ThroughputOpsPerS, merged.Ops)
	}
	if r := merged.Replicas[0]; r.CPUNsPerOp != 150 || r.CPUShare != 0.6 || first.Replicas[0].CPUNsPerOp != 200 {
		t.Errorf("replica %+v: want the CPU time of three quarters of the operations spread over all", r)
	}
	if merged.Verdict != Degraded || len(merged.Reasons) != 1 || !strings.HasPrefix(merged.Reasons[0], "b: ") {
		t.Errorf("verdict %s because of %q", merged.Verdict, merged.Reasons)
	}
	if len(merged.Generators) != 2 || merged.Generators[0].Name != "a" || merged.Generators[1].Name != "b" {
		t.Errorf("generators %+v", merged.Generators)
	}
	again, _, err := Merge([]*Result{merged, resultOf(t, "c", fast, Valid)})
	if err != nil || len(again.Generators) != 3 || again.Ops.OK != 70_000 {
		t.Errorf("merging a merged result: %v, %+v", err, again)
	}
	if _, _, err := Merge(nil); err == nil {
		t.Error("merged nothing")
	}
}

// The interval log, read by HdrHistogram's own reader, holds the same histograms.
func TestIntervalLogRoundTrip(t *testing.T) {
	var file bytes.Buffer
	start := time.UnixMilli(1_700_000_000_000)
	log, err := NewLogWriter(&file, start)
	if err != nil {
		t.Fatal(err)
	}
	var sets []*Set
	for i := range 3 {
		set := NewSet()
		set.Start, set.End = time.Duration(i)*time.Second, time.Duration(i+1)*time.Second
		for _, d := range samples(uint64(10+i), 1000) {
			set.Send(0, d/10, 1)
			set.Answer(0, d/10, d, 1)
		}
		row := NewRow(set)
		if err := log.Interval(&row, set); err != nil {
			t.Fatal(err)
		}
		sets = append(sets, set)
	}
	reader := hdrhistogram.NewHistogramLogReader(&file)
	for i, set := range sets {
		for _, want := range []struct {
			tag string
			*Histogram
		}{{TagIntended, set.Intended}, {TagService, set.Service}, {TagSendLag, set.SendLag}} {
			got, err := reader.NextIntervalHistogram()
			if err != nil || got == nil {
				t.Fatalf("interval %d, %s: %v", i, want.tag, err)
			}
			if got.Tag() != want.tag || !got.Equals(want.hdr) {
				t.Errorf("interval %d: %s with %d observations, want %s with %d", i, got.Tag(), got.TotalCount(), want.tag, want.Count())
			}
			if at := start.Add(set.Start).UnixMilli(); got.StartTimeMs() != at || got.EndTimeMs() != at+1000 {
				t.Errorf("interval %d: from %d to %d, want from %d on", i, got.StartTimeMs(), got.EndTimeMs(), at)
			}
		}
	}
	if extra, err := reader.NextIntervalHistogram(); extra != nil {
		t.Errorf("one interval too many (%v)", err)
	}
}

// A line of the percentile table says how many observations do not exceed a value: so do the raw samples.
func TestPercentileTable(t *testing.T) {
	raw := samples(5, 20_000)
	var file bytes.Buffer
	if err := recorded(raw).WritePercentiles(&file, UsualTicks); err != nil {
		t.Fatal(err)
	}
	slices.Sort(raw)
	upTo := func(ms float64) int64 {
		n, _ := slices.BinarySearch(raw, time.Duration(ms*float64(time.Millisecond)))
		return int64(n)
	}
	lines, total := 0, int64(0)
	for scanner := bufio.NewScanner(&file); scanner.Scan(); {
		var ms, quantile float64
		var count int64
		if n, _ := fmt.Sscan(scanner.Text(), &ms, &quantile, &count); n < 3 {
			continue // head and foot
		}
		lines, total = lines+1, max(total, count)
		if least, most := upTo(ms*(1-resolution)-0.001), upTo(ms*(1+resolution)+0.001); count < least || count > most {
			t.Errorf("%d observations up to %v ms, of the samples %d to %d", count, ms, least, most)
		}
	}
	if lines < 20 || total != int64(len(raw)) {
		t.Errorf("%d lines that count up to %d of %d", lines, total, len(raw))
	}
}

func TestNs(t *testing.T) {
	for ns, want := range map[int64]string{0: "0s", 999: "999ns", 12_345: "12.3µs", 999_999_999: "1s", 1_234_567_890: "1.23s"} {
		if got := Ns(ns); got != want {
			t.Errorf("Ns(%d) = %s, want %s", ns, got, want)
		}
	}
}

func TestChecksAsText(t *testing.T) {
	for _, tt := range []struct {
		check Check
		want  string
	}{
		{Check{Value: 1.234e6, Limit: 1e6, Unit: "ns"}, "1.23ms 1ms"},
		{Check{Value: 0.5, Limit: 0.98, Unit: "of schedule"}, "0.5 0.98 of schedule"},
		{Check{Value: 3, Limit: 0}, "3 0"},
	} {
		if value, limit := tt.check.Text(); value+" "+limit != tt.want {
			t.Errorf("%+v is %q with the limit %q", tt.check, value, limit)
		}
	}
}

func TestRowsComeBack(t *testing.T) {
	rows := []Row{{StartS: 0, LengthS: 1, OK: 10, OpsPerS: 10, P99Ns: 5}, {StartS: 1, LengthS: 0.5, Drain: true, Events: []string{"kill 1"}}}
	var file bytes.Buffer
	if err := WriteRows(&file, rows); err != nil {
		t.Fatal(err)
	}
	back, err := ReadRows(bytes.NewReader(file.Bytes()))
	if err != nil || !reflect.DeepEqual(back, rows) {
		t.Errorf("came back as %+v (%v)", back, err)
	}
	if _, err := ReadRows(strings.NewReader(file.String() + "{broken")); err == nil {
		t.Error("read a broken line")
	}
}

func TestDirectoryHoldsARun(t *testing.T) {
	dir := t.TempDir()
	files, err := CreateDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := files.Start(time.Unix(1e9, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil {
		t.Error("a run that has not finished has a result")
	}
	r := resultOf(t, "a", samples(6, 1000), Valid)
	set, err := r.HDR.Set()
	if err != nil {
		t.Fatal(err)
	}
	if err := files.Finish(r, []Row{{OK: 1000}}, set); err != nil {
		t.Fatal(err)
	}
	back, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if back.Latency != r.Latency || back.Ops != r.Ops || !reflect.DeepEqual(back.HDR, r.HDR) || back.Verdict != Valid {
		t.Errorf("came back as %+v", back)
	}
}

// A backlog that grows for long does not make the mean negative, nor the integral of what is in flight.
func TestSumsDoNotOverflow(t *testing.T) {
	h, n := NewHistogram(), int64(0)
	for range 600 {
		h.Record(5*time.Minute, 1_000_000_000)
		n += 1_000_000_000
	}
	if h.Mean() != 5*time.Minute || h.Count() != n {
		t.Errorf("mean %v of %d observations of five minutes", h.Mean(), h.Count())
	}
	encoded, exact, err := h.Encode()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(exact)
	if err != nil || !strings.Contains(string(text), `"sum_ns":180000000000000000000000`) {
		t.Errorf("%s, %v", text, err)
	}
	var read Exact
	if err := json.Unmarshal(text, &read); err != nil || read != exact {
		t.Errorf("read %+v, written %+v, %v", read, exact, err)
	}
	again, err := DecodeHistogram(encoded, read)
	if err != nil || again.Mean() != h.Mean() {
		t.Errorf("mean %v after reading, %v", again.Mean(), err)
	}
	h.Merge(again)
	if h.Mean() != 5*time.Minute {
		t.Errorf("mean %v of both", h.Mean())
	}
	var inFlight Sum
	for range 600 {
		inFlight.Add(1e9, int64(time.Minute))
	}
	if got := inFlight.Float(); got != 600*1e9*float64(time.Minute) {
		t.Errorf("integral %g", got)
	}
	for _, wrong := range []string{"-1", "1.5", `"1"`, "400000000000000000000000000000000000000"} {
		if err := new(Sum).UnmarshalJSON([]byte(wrong)); err == nil {
			t.Errorf("%s is taken for a sum", wrong)
		}
	}
}
