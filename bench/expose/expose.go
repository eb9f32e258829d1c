// Package expose serves what a load generator is doing as metrics in Prometheus' text format, while it does it.
package expose

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"paxosbench/bench/record"
)

// Exporter takes note of the phases and intervals of a run and serves them at /metrics. Its methods may be called at the same
// time.
type Exporter struct {
	server   *http.Server
	listener net.Listener
	done     chan struct{}

	mu    sync.Mutex
	phase string
	sum   record.Row // of the measurement so far: its counts
	last  record.Row // the newest interval
}

// Listen serves metrics at an address of this host.
func Listen(addr string) (*Exporter, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("metrics at %s: %w", addr, err)
	}
	e := &Exporter{listener: listener, done: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", e.serve)
	e.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		defer close(e.done)
		_ = e.server.Serve(listener) // until Close
	}()
	return e, nil
}

// Addr returns where the metrics are served.
func (e *Exporter) Addr() string { return e.listener.Addr().String() }

// Close ends the serving.
func (e *Exporter) Close() error {
	err := e.server.Close()
	<-e.done
	return err
}

// Phase takes note of a phase.
func (e *Exporter) Phase(text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.phase = text
}

// Interval takes note of an interval of the measurement, or of several together.
func (e *Exporter) Interval(row *record.Row) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sum.Scheduled += row.Scheduled
	e.sum.Sent += row.Sent
	e.sum.OK += row.OK
	e.sum.Failed += row.Failed
	e.sum.TimedOut += row.TimedOut
	e.last = *row
}

func (e *Exporter) serve(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	e.mu.Lock()
	defer e.mu.Unlock()
	e.write(w)
}

// prefix begins the name of every metric.
const prefix = "paxosbench_loadgen_"

func (e *Exporter) write(w io.Writer) {
	head := func(name, kind, help string) string {
		name = prefix + name
		fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
		return name
	}
	fmt.Fprintf(w, "%s{phase=%q} 1\n", head("phase", "gauge", "What the generator is doing."), e.phase)
	fmt.Fprintf(w, "%s %d\n", head("scheduled_total", "counter", "Operations that were due, of the measurement."), e.sum.Scheduled)
	fmt.Fprintf(w, "%s %d\n", head("sent_total", "counter", "Operations handed to a socket."), e.sum.Sent)
	operations := head("operations_total", "counter", "Operations by what became of them.")
	for _, outcome := range []struct {
		name  string
		count int64
	}{{"ok", e.sum.OK}, {"failed", e.sum.Failed}, {"timed_out", e.sum.TimedOut}} {
		fmt.Fprintf(w, "%s{outcome=%q} %d\n", operations, outcome.name, outcome.count)
	}
	fmt.Fprintf(w, "%s %g\n", head("operations_per_second", "gauge", "Answers per second, of the last interval."), e.last.OpsPerS)
	fmt.Fprintf(w, "%s %g\n", head("in_flight", "gauge", "Mean number of operations in flight, of the last interval."), e.last.InFlight)
	quantiles(w, head("latency_seconds", "gauge", "From when due, of the last interval."), e.last.P50Ns, e.last.P99Ns, e.last.MaxNs)
	service := head("service_seconds", "gauge", "From when sent, of the last interval.")
	quantiles(w, service, e.last.ServiceP50Ns, e.last.ServiceP99Ns)
	fmt.Fprintf(w, "%s{quantile=\"0.99\"} %g\n", head("send_lag_seconds", "gauge", "From due to sent, of the last interval."),
		time.Duration(e.last.SendLagP99Ns).Seconds())
}

// quantiles writes the median, the 99th percentile and the maximum, as many as there are.
func quantiles(w io.Writer, name string, ns ...int64) {
	for i, v := range ns {
		fmt.Fprintf(w, "%s{quantile=%q} %g\n", name, [...]string{"0.5", "0.99", "1"}[i], time.Duration(v).Seconds())
	}
}
