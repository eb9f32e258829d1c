package replica

import (
	"context"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"paxosbench/batching"
	"paxosbench/replica/paxos"
	"paxosbench/replica/transport"
)

// collector turns a Status into Prometheus metrics.
type collector struct{ r *Replica }

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

// family is a metric with one value for each value of a label.
type family struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	each func(s *Status, emit func(label string, value float64))
}

func newFamily(kind prometheus.ValueType, name, help, label string, each func(*Status, func(string, float64))) family {
	return family{prometheus.NewDesc("paxosbench_"+name, help, []string{label}, nil), kind, each}
}

var families = []family{
	newFamily(prometheus.CounterValue, "batches_sealed_total", "Batches proposed, by the reason they were sealed.", "reason",
		func(s *Status, emit func(string, float64)) {
			for reason, n := range s.Node.Sealed {
				emit(batching.Reason(reason).String(), float64(n))
			}
		}),
	newFamily(prometheus.GaugeValue, "role", "1 for the role of this replica, 0 for all others.", "role",
		func(s *Status, emit func(string, float64)) {
			for _, role := range roles {
				emit(role, number(role == s.Role))
			}
		}),
	newFamily(prometheus.GaugeValue, "peer_up", "Whether a peer is connected.", "peer",
		func(s *Status, emit func(string, float64)) {
			for _, p := range s.Peers {
				emit(strconv.Itoa(int(p.ID)), number(p.Connected))
			}
		}),
	newFamily(prometheus.CounterValue, "connection_faults_total", "Connections that this replica has closed or refused, by the reason.", "fault",
		func(s *Status, emit func(string, float64)) {
			for fault, n := range s.Transport.Faults {
				emit(transport.Fault(fault).String(), float64(n))
			}
		}),
}

// roles are all that Status.Role can be.
var roles = []string{
	paxos.Follower.String(), paxos.PreCandidate.String(), paxos.Candidate.String(), paxos.Leader.String(),
	RoleRecovering, RoleNonVoting, RoleUnreplicated,
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

var metrics = []metric{
	gauge("ready", "Whether the replica votes and knows a leader.", func(s *Status) float64 { return number(s.NotReady == "") }),
	gauge("ballot_round", "Round of the highest ballot seen.", func(s *Status) float64 { return float64(s.Ballot.Round()) }),
	gauge("quorum1_replicas", "Replicas that elect a leader.", func(s *Status) float64 { return float64(s.Quorum1) }),
	gauge("quorum2_replicas", "Replicas that choose a batch.", func(s *Status) float64 { return float64(s.Quorum2) }),
	gauge("voters", "Replicas within reach that vote, as far as this one knows; itself included.", func(s *Status) float64 { return float64(s.Voters) }),
	gauge("no_leader_seconds", "For how long no leader has been known, 0 if one is.", func(s *Status) float64 { return s.NoLeaderS }),
	gauge("recovery_done", "Whether the recovery from the data directory is over.", func(s *Status) float64 { return number(s.Recovery.Done) }),
	gauge("recovery_bytes", "Bytes of the data directory that have been read.", func(s *Status) float64 { return float64(s.Recovery.Bytes) }),
	gauge("recovery_bytes_max", "Bytes to be read, at most.", func(s *Status) float64 { return float64(s.Recovery.TotalBytes) }),
	gauge("recovery_seconds", "How long the recovery has taken.", func(s *Status) float64 { return float64(s.Recovery.ElapsedNs) / 1e9 }),
	gauge("commit_slot", "Commit frontier.", func(s *Status) float64 { return float64(s.Commit) }),
	gauge("applied_slot", "Newest slot applied.", func(s *Status) float64 { return float64(s.Applied) }),
	gauge("leader", "Id of the leader that this replica follows, 0 if none.", func(s *Status) float64 { return float64(s.Leader) }),
	gauge("records", "Records in the state machine.", func(s *Status) float64 { return float64(s.Records) }),
	gauge("store_weight_bytes", "What the records weigh, as the limit of the store counts.", func(s *Status) float64 { return float64(s.StoreWeight) }),
	counter("writes_refused_total", "Writes for which the store had no room.", func(s *Status) float64 { return float64(s.State.Full) }),
	counter("registrations_refused_total", "Registrations for which there was no place.", func(s *Status) float64 { return float64(s.State.Refused) }),
	counter("messages_refused_total", "Messages of peers that no replica sends.", func(s *Status) float64 { return float64(s.Node.MessagesRefused) }),
	counter("implausible_ballots_total", "Messages of peers with ballots that no replica can have come to.", func(s *Status) float64 { return float64(s.Paxos.Implausible) }),
	counter("contradictions_total", "Messages of leaders that contradict themselves, or what is chosen.", func(s *Status) float64 { return float64(s.Paxos.Contradicted) }),
	counter("not_batches_total", "Chosen values that are no batches, and did nothing.", func(s *Status) float64 { return float64(s.Node.NotBatches) }),
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
	counter("commands_busy_total", "Commands answered with BUSY.", func(s *Status) float64 { return float64(s.Node.Busy) }),
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
	for _, f := range families {
		ch <- f.desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s, err := c.r.Status(context.Background())
	if err != nil {
		ch <- prometheus.NewInvalidMetric(metrics[0].desc, err)
		return
	}
	for _, m := range metrics {
		ch <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(s))
	}
	for _, f := range families {
		f.each(s, func(label string, value float64) {
			ch <- prometheus.MustNewConstMetric(f.desc, f.kind, value, label)
		})
	}
}
