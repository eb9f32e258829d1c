package replica

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"paxosbench/batching"
	"paxosbench/replica/journal"
	"paxosbench/replica/machine"
	"paxosbench/replica/node"
	"paxosbench/replica/paxos"
	"paxosbench/replica/transport"
	"paxosbench/wire"
)

// Status is what /status answers. Counters count from the start of the process.
type Status struct {
	ID          wire.ReplicaID  `json:"id"`
	PID         int             `json:"pid"`
	Role        string          `json:"role"` // leader, follower, candidate, pre-candidate, recovering, unreplicated
	Ballot      wire.Ballot     `json:"ballot"`
	Leader      wire.ReplicaID  `json:"leader"`
	Commit      wire.Slot       `json:"commit"`
	Applied     wire.Slot       `json:"applied"`
	Known       wire.Slot       `json:"known"`        // highest commit frontier heard of
	StateDigest string          `json:"state_digest"` // equal on replicas that have applied the same slot
	Records     int             `json:"records"`      // in the state machine
	Sessions    int             `json:"sessions"`
	CPUNs       int64           `json:"cpu_ns"` // of the process
	InFlight    int             `json:"in_flight_slots"`
	Depth       int             `json:"depth"` // slots that may be in flight now
	Config      *Config         `json:"config"`
	Node        node.Stats      `json:"node"`
	Paxos       paxos.Stats     `json:"paxos"`
	State       machine.Stats   `json:"state"`
	Journal     journal.Stats   `json:"journal"`
	Transport   transport.Stats `json:"transport"`
	Busy        uint64          `json:"busy"` // commands and queries answered with BUSY

	SnapshotSlot     wire.Slot      `json:"snapshot_slot"`     // of the newest snapshot kept here, 0: none
	SnapshotBytes    int64          `json:"snapshot_bytes"`    // its size as it is stored
	SnapshotsTaken   uint64         `json:"snapshots_taken"`   // of this replica's state
	SnapshotFetching wire.ReplicaID `json:"snapshot_fetching"` // peer whose snapshot is being fetched, 0: none
}

// status reads everything at one moment, on the loop.
func (l *loop) status() *Status {
	core, state := l.node.Core(), l.node.State()
	s := &Status{
		ID: l.cfg.ID, PID: os.Getpid(), Role: core.Role().String(), Ballot: core.Ballot(), Leader: l.leader(),
		Commit: core.Commit(), Applied: state.Applied(), Known: core.Known(), StateDigest: fmt.Sprintf("%016x", state.Digest()),
		Records: state.Len(), Sessions: state.Sessions(), CPUNs: cpuNs(), Depth: core.Depth(), Config: l.cfg,
		Node: l.node.Stats(), Paxos: core.Stats(), State: state.Stats(), Busy: l.busy, Journal: l.storage.Stats(),
	}
	s.InFlight, _ = core.InFlight()
	snapshots := l.node.Snapshots()
	s.SnapshotSlot, s.SnapshotBytes = snapshots.Newest.Slot, snapshots.Newest.Bytes
	s.SnapshotsTaken, s.SnapshotFetching = s.Node.SnapshotsTaken, snapshots.Fetching
	switch {
	case l.cfg.Unreplicated:
		s.Role, s.Commit = "unreplicated", s.Applied
	case !core.Voting():
		s.Role = "recovering"
	}
	return s
}

// fetchStatus asks the loop for its status. Any goroutine may call it.
func (l *loop) fetchStatus(ctx context.Context) (*Status, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	answer := make(chan *Status, 1)
	l.transport.Post(func() { answer <- l.status() })
	select {
	case s := <-answer:
		s.Transport = l.transport.Stats()
		return s, nil
	case <-ctx.Done():
		return nil, errors.New("the event loop has not answered")
	}
}

func cpuNs() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

// With --pprof, one in so many contended locks is recorded, and one block in so many nanoseconds blocked.
const (
	profileFraction = 100
	profileRate     = 100_000
)

// serveAdmin answers on the admin address until ctx is done.
func serveAdmin(ctx context.Context, listener net.Listener, l *loop) error {
	registry := prometheus.NewRegistry()
	registry.MustRegister(&collector{l})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		s, err := l.fetchStatus(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s) // the client has gone, and nobody is left to tell
	})
	if l.cfg.Pprof {
		runtime.SetMutexProfileFraction(profileFraction)
		runtime.SetBlockProfileRate(profileRate)
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// collector turns a Status into Prometheus metrics.
type collector struct{ l *loop }

type metric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*Status) float64
}

func counter(name, help string, value func(*Status) float64) metric {
	return metric{prometheus.NewDesc("paxosbench_"+name, help, nil, nil), prometheus.CounterValue, value}
}

func gauge(name, help string, value func(*Status) float64) metric {
	return metric{prometheus.NewDesc("paxosbench_"+name, help, nil, nil), prometheus.GaugeValue, value}
}

var sealedDesc = prometheus.NewDesc("paxosbench_batches_sealed_total", "Batches proposed, by the reason they were sealed.", []string{"reason"}, nil)

var metrics = []metric{
	gauge("commit_slot", "Commit frontier.", func(s *Status) float64 { return float64(s.Commit) }),
	gauge("applied_slot", "Newest slot applied.", func(s *Status) float64 { return float64(s.Applied) }),
	gauge("leader", "Id of the leader that this replica follows, 0 if none.", func(s *Status) float64 { return float64(s.Leader) }),
	gauge("records", "Records in the state machine.", func(s *Status) float64 { return float64(s.Records) }),
	gauge("sessions", "Open sessions.", func(s *Status) float64 { return float64(s.Sessions) }),
	gauge("clients", "Open client connections.", func(s *Status) float64 { return float64(s.Transport.Clients) }),
	gauge("forwarded", "Client connections handed on to the leader.", func(s *Status) float64 { return float64(s.Transport.Forwarded) }),
	gauge("peers", "Peers that are connected.", func(s *Status) float64 { return float64(s.Transport.Peers) }),
	gauge("window_depth", "Slots that may be in flight.", func(s *Status) float64 { return float64(s.Depth) }),
	counter("cpu_seconds_total", "CPU time of the process.", func(s *Status) float64 { return float64(s.CPUNs) / 1e9 }),
	counter("batches_proposed_total", "Batches proposed.", func(s *Status) float64 { return float64(s.Node.BatchesProposed) }),
	counter("commands_proposed_total", "Commands proposed.", func(s *Status) float64 { return float64(s.Node.CommandsProposed) }),
	counter("bytes_proposed_total", "Bytes of batches proposed, before compression.", func(s *Status) float64 { return float64(s.Node.BytesProposed) }),
	counter("window_depth_sum_total", "Slots in flight, summed over the batches proposed.", func(s *Status) float64 { return float64(s.Node.WindowDepthSum) }),
	counter("batches_applied_total", "Batches applied.", func(s *Status) float64 { return float64(s.Node.BatchesApplied) }),
	counter("commands_applied_total", "Commands applied.", func(s *Status) float64 { return float64(s.Node.CommandsApplied) }),
	counter("commands_busy_total", "Commands answered with BUSY.", func(s *Status) float64 { return float64(s.Busy) }),
	counter("queries_answered_total", "Gets answered without going through the log.", func(s *Status) float64 { return float64(s.Node.QueriesAnswered) }),
	counter("read_rounds_total", "Leadership rounds begun because gets waited.", func(s *Status) float64 { return float64(s.Paxos.ReadRounds) }),
	counter("duplicates_total", "Commands sent again and answered from memory.", func(s *Status) float64 { return float64(s.State.Duplicates) }),
	counter("elections_total", "Candidacies of this replica.", func(s *Status) float64 { return float64(s.Paxos.Elections) }),
	counter("leaderships_total", "Elections that this replica has won.", func(s *Status) float64 { return float64(s.Paxos.Leaderships) }),
	counter("slots_fetched_total", "Slots learnt from peers.", func(s *Status) float64 { return float64(s.Paxos.Fetched) }),
	counter("accepts_resent_total", "Accepts sent again.", func(s *Status) float64 { return float64(s.Paxos.Resent) }),
	counter("journal_syncs_total", "Syncs of the journal.", func(s *Status) float64 { return float64(s.Journal.Syncs) }),
	counter("journal_bytes_total", "Bytes written to the journal.", func(s *Status) float64 { return float64(s.Journal.Bytes) }),
	counter("journal_records_total", "Records written to the journal.", func(s *Status) float64 { return float64(s.Journal.Records) }),
	gauge("snapshot_slot", "Slot of the newest snapshot kept here, 0 if there is none.", func(s *Status) float64 { return float64(s.SnapshotSlot) }),
	gauge("snapshot_bytes", "Its size as it is stored.", func(s *Status) float64 { return float64(s.SnapshotBytes) }),
	gauge("snapshot_fetching", "Id of the peer whose snapshot is being fetched, 0 if none.", func(s *Status) float64 { return float64(s.SnapshotFetching) }),
	counter("snapshots_taken_total", "Snapshots taken of this replica's state.", func(s *Status) float64 { return float64(s.SnapshotsTaken) }),
	counter("snapshots_fetched_total", "Snapshots of peers that took the place of this replica's state.", func(s *Status) float64 { return float64(s.Node.SnapshotsFetched) }),
	counter("snapshots_failed_total", "Snapshots that could not be stored.", func(s *Status) float64 { return float64(s.Node.SnapshotsFailed) }),
	counter("snapshots_refused_total", "Snapshots of peers that turned out to be damaged.", func(s *Status) float64 { return float64(s.Node.SnapshotsRefused) }),
	counter("network_bytes_sent_total", "Bytes written to sockets.", func(s *Status) float64 { return float64(s.Transport.BytesOut) }),
	counter("network_writes_total", "Writes to sockets.", func(s *Status) float64 { return float64(s.Transport.Writes) }),
	counter("network_bytes_received_total", "Bytes read from sockets.", func(s *Status) float64 { return float64(s.Transport.BytesIn) }),
	counter("network_reads_total", "Reads from sockets.", func(s *Status) float64 { return float64(s.Transport.Reads) }),
	counter("sends_dropped_total", "Messages to peers that were down or too slow.", func(s *Status) float64 { return float64(s.Transport.DroppedSends) }),
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range metrics {
		ch <- m.desc
	}
	ch <- sealedDesc
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s, err := c.l.fetchStatus(context.Background())
	if err != nil {
		ch <- prometheus.NewInvalidMetric(metrics[0].desc, err)
		return
	}
	for _, m := range metrics {
		ch <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(s))
	}
	for reason, n := range s.Node.Sealed {
		ch <- prometheus.MustNewConstMetric(sealedDesc, prometheus.CounterValue, float64(n), batching.Reason(reason).String())
	}
}
