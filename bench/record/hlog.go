package record

import (
	"fmt"
	"io"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Tags of the interval log: one line per interval and histogram.
const (
	TagIntended = "intended"
	TagService  = "service"
	TagSendLag  = "send_lag"
)

// LogWriter writes the interval log (.hlog) that HdrHistogram's tools read: absolute time stamps, values in
// nanoseconds, interval maxima in milliseconds.
type LogWriter struct {
	log   *hdrhistogram.HistogramLogWriter
	start time.Time
}

// NewLogWriter writes the log's head. start is when the measurement began.
func NewLogWriter(w io.Writer, start time.Time) (*LogWriter, error) {
	log := hdrhistogram.NewHistogramLogWriter(w)
	head := []func() error{
		func() error { return log.OutputComment("[Logged with paxosbench loadgen; values in nanoseconds]") },
		log.OutputLogFormatVersion,
		func() error { return log.OutputStartTime(start.UnixMilli()) },
		func() error { return log.OutputBaseTime(0) },
		log.OutputLegend,
	}
	for _, write := range head {
		if err := write(); err != nil {
			return nil, fmt.Errorf("interval log: %w", err)
		}
	}
	return &LogWriter{log: log, start: start}, nil
}

// Interval writes one interval's histograms. It implements Sink.
func (w *LogWriter) Interval(row *Row, set *Set) error {
	for _, h := range []struct {
		tag string
		*Histogram
	}{{TagIntended, set.Intended}, {TagService, set.Service}, {TagSendLag, set.SendLag}} {
		start := w.start.Add(time.Duration(row.StartS * float64(time.Second)))
		h.hdr.SetTag(h.tag)
		h.hdr.SetStartTimeMs(start.UnixMilli())
		h.hdr.SetEndTimeMs(start.Add(time.Duration(row.LengthS * float64(time.Second))).UnixMilli())
		if err := w.log.OutputIntervalHistogram(h.hdr); err != nil {
			return fmt.Errorf("interval log: %w", err)
		}
	}
	return nil
}

// UsualTicks is the resolution of percentile tables: lines per halving of the distance to 100 %.
const UsualTicks = 5

// WritePercentiles writes the percentile table (.hgrm) that HdrHistogram's plotter reads, in milliseconds, with the
// given number of lines per halving of the distance to 100 %.
func (h *Histogram) WritePercentiles(w io.Writer, ticks int) error {
	if _, err := h.hdr.PercentilesPrint(w, int32(ticks), float64(time.Millisecond)); err != nil {
		return fmt.Errorf("percentile table: %w", err)
	}
	return nil
}

// Spectrum returns (percentile, value in nanoseconds) pairs as the percentile table has them.
func (h *Histogram) Spectrum() (percentiles []float64, valuesNs []int64) {
	for _, b := range h.hdr.CumulativeDistributionWithTicks(UsualTicks) {
		percentiles = append(percentiles, b.Quantile)
		valuesNs = append(valuesNs, min(b.ValueAt, h.max))
	}
	return percentiles, valuesNs
}
