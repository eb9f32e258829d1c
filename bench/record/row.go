package record

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Row is one interval of the series, as it stands in series.ndjson. Latencies are nanoseconds.
type Row struct {
	// StartS is where the interval begins, in seconds from the beginning of the measurement.
	StartS float64 `json:"start_s"`
	// LengthS is the interval's length in seconds.
	LengthS float64 `json:"length_s"`
	// Drain marks what came after the measurement: answers that were still awaited.
	Drain        bool     `json:"drain,omitempty"`
	OK           int64    `json:"ok"`
	OpsPerS      float64  `json:"ops_per_s"`
	Scheduled    int64    `json:"scheduled"`
	Sent         int64    `json:"sent"`
	Failed       int64    `json:"failed"`
	TimedOut     int64    `json:"timed_out"`
	InFlight     float64  `json:"in_flight"` // mean
	P50Ns        int64    `json:"p50_ns"`
	P99Ns        int64    `json:"p99_ns"`
	MaxNs        int64    `json:"max_ns"`
	ServiceP50Ns int64    `json:"service_p50_ns"`
	ServiceP99Ns int64    `json:"service_p99_ns"`
	SendLagP99Ns int64    `json:"send_lag_p99_ns"`
	Events       []string `json:"events,omitempty"`
}

// NewRow sums up a set.
func NewRow(set *Set) Row {
	length := max(set.End-set.Start, 1)
	return Row{
		StartS:       set.Start.Seconds(),
		LengthS:      length.Seconds(),
		Drain:        set.Drain,
		OK:           set.Counts.OK,
		OpsPerS:      float64(set.Counts.OK) / length.Seconds(),
		Scheduled:    set.Counts.Scheduled,
		Sent:         set.Counts.Sent,
		Failed:       set.Counts.Failed,
		TimedOut:     set.Counts.TimedOut,
		InFlight:     set.InFlight.Float() / float64(length),
		P50Ns:        int64(set.Intended.Percentile(50)),
		P99Ns:        int64(set.Intended.Percentile(99)),
		MaxNs:        int64(set.Intended.Max()),
		ServiceP50Ns: int64(set.Service.Percentile(50)),
		ServiceP99Ns: int64(set.Service.Percentile(99)),
		SendLagP99Ns: int64(set.SendLag.Percentile(99)),
	}
}

// WriteRows writes rows as NDJSON, one per line.
func WriteRows(w io.Writer, rows []Row) error {
	enc := json.NewEncoder(w)
	for i := range rows {
		if err := enc.Encode(&rows[i]); err != nil {
			return fmt.Errorf("series: %w", err)
		}
	}
	return nil
}

// ReadRows reads what WriteRows wrote.
func ReadRows(r io.Reader) ([]Row, error) {
	var rows []Row
	dec := json.NewDecoder(bufio.NewReader(r))
	for {
		var row Row
		if err := dec.Decode(&row); errors.Is(err, io.EOF) {
			return rows, nil
		} else if err != nil {
			return rows, fmt.Errorf("series, row %d: %w", len(rows)+1, err)
		}
		rows = append(rows, row)
	}
}
