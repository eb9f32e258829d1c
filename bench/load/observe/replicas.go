// Package observe looks at the nodes under load from outside, by the admin addresses of our replicas or by a driver that can tell: who
// leads, what they count, whether their states are equal; and says what two looks before and after a measurement differ by. It acts on
// nothing, and knows neither the load nor the verdict: a node that does not answer is an error in its Scrape, and no figure.
package observe

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"paxosbench/bench/record"
	"paxosbench/bench/target"
	"paxosbench/wire"
)

const (
	// scrapeTimeout bounds one look at a replica.
	scrapeTimeout = time.Second
	// scrapeBytes bounds what is read of an answer.
	scrapeBytes = 4 << 20
	// settleTimeout is how long replicas may take after a run to have applied the same slots.
	settleTimeout = 10 * time.Second
	settlePoll    = 50 * time.Millisecond
)

// Status is what is read of a replica's /status; fields it does not have stay zero.
type Status struct {
	ID          wire.ReplicaID  `json:"id"`
	PID         int             `json:"pid"`
	Role        string          `json:"role"`
	Ballot      wire.Ballot     `json:"ballot"`
	Leader      wire.ReplicaID  `json:"leader"`
	Commit      uint64          `json:"commit"`
	Applied     uint64          `json:"applied"`
	StateDigest json.RawMessage `json:"state_digest"`
	CPUNs       int64           `json:"cpu_ns"` // of this process
	Config      json.RawMessage `json:"config"`
	Version     json.RawMessage `json:"version"`
}

// digest returns the state digest as text, whether it came as a number or a string.
func (s *Status) digest() string { return strings.Trim(string(s.StateDigest), `"`) }

// Scrape is one look at one node.
type Scrape struct {
	Admin    string // its address, or its name
	At       time.Time
	Status   Status
	Counters map[string]float64 // since its process began
	figures  figures
	Err      error
}

// figures are the counters that have figures of their own in a result.
type figures struct{ commands, batches, proposed, depth, syncs, bytes float64 }

// add adds what has been counted from one look to another.
func (f *figures) add(from, to *figures) {
	f.commands += max(0, to.commands-from.commands)
	f.batches += max(0, to.batches-from.batches)
	f.proposed += max(0, to.proposed-from.proposed)
	f.depth += max(0, to.depth-from.depth)
	f.syncs += max(0, to.syncs-from.syncs)
	f.bytes += max(0, to.bytes-from.bytes)
}

// scrapePages looks at one replica.
func scrapePages(ctx context.Context, admin string) Scrape {
	s := scrapeStatus(ctx, admin)
	if s.Err != nil {
		return s
	}
	// A replica without metrics is described by its status alone.
	if body, err := fetch(ctx, admin, "/metrics"); err == nil {
		s.setCounters(parseCounters(string(body)))
	}
	return s
}

// setCounters notes what a replica has counted.
func (s *Scrape) setCounters(c map[string]float64) {
	s.Counters = c
	s.figures = figures{c[metricCommandsApplied], c[metricBatchesApplied], c[metricBatchesProposed], c[metricWindowDepth], c[metricSyncs],
		c[metricJournalBytes]}
}

// scrapeStatus asks a replica for its status alone.
func scrapeStatus(ctx context.Context, admin string) Scrape {
	s := Scrape{Admin: admin, At: time.Now()}
	s.Status, s.Err = fetchStatus(ctx, admin)
	return s
}

func fetchStatus(ctx context.Context, admin string) (Status, error) {
	var s Status
	body, err := fetch(ctx, admin, "/status")
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(body, &s); err != nil {
		return s, fmt.Errorf("%s/status: %w", admin, err)
	}
	return s, nil
}

func fetch(ctx context.Context, admin, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s%s: %s", admin, path, response.Status)
	}
	return io.ReadAll(io.LimitReader(response.Body, scrapeBytes))
}

// parseCounters reads the samples of Prometheus' text format that are counters by the naming convention, by name and labels as written.
func parseCounters(text string) map[string]float64 {
	counters := make(map[string]float64)
	scanner := bufio.NewScanner(strings.NewReader(text))
	for scanner.Scan() {
		line := scanner.Text()
		cut := strings.LastIndexByte(line, ' ')
		if strings.HasPrefix(line, "#") || cut < 0 {
			continue
		}
		base, _, _ := strings.Cut(line[:cut], "{")
		if !strings.HasSuffix(base, "_total") && !strings.HasSuffix(base, "_sum") && !strings.HasSuffix(base, "_count") {
			continue
		}
		if v, err := strconv.ParseFloat(line[cut+1:], 64); err == nil {
			counters[line[:cut]] = v
		}
	}
	return counters
}

// Describe compares two looks at the replicas, between which ops operations were answered, and some replicas were
// killed after a last look at them.
func Describe(before, after, ended []Scrape, ops int64) []record.Replica {
	replicas := make([]record.Replica, 0, len(after))
	for i := range after {
		replicas = append(replicas, describeReplica(earlier(before, &after[i]), &after[i], ended, ops))
	}
	return replicas
}

// earlier returns the look before at the node that is seen after. Nodes may have been added, or could not even be named.
func earlier(before []Scrape, after *Scrape) *Scrape {
	for i := range before {
		if before[i].Admin == after.Admin {
			return &before[i]
		}
	}
	return &Scrape{Admin: after.Admin, Err: fmt.Errorf("%s: was not seen before the measurement", after.Admin)}
}

func describeReplica(before, after *Scrape, ended []Scrape, ops int64) record.Replica {
	r := record.Replica{Admin: after.Admin}
	if after.Err != nil {
		r.ID, r.Error = before.Status.ID, after.Err.Error()
		r.Config, r.Version = before.Status.Config, before.Status.Version
	} else {
		r.ID, r.Role, r.Commit, r.Applied = after.Status.ID, after.Status.Role, after.Status.Commit, after.Status.Applied
		r.StateDigest, r.Config = after.Status.digest(), after.Status.Config
		r.Version = after.Status.Version
	}
	describeLives(&r, before, after, ended, ops)
	return r
}

// Metrics of a replica that have a figure of their own in the result.
const (
	metricCommandsApplied = "paxosbench_commands_applied_total"
	metricBatchesApplied  = "paxosbench_batches_applied_total"
	metricBatchesProposed = "paxosbench_batches_proposed_total"
	metricWindowDepth     = "paxosbench_window_depth_sum_total" // slots in flight, summed over the batches proposed
	metricSyncs           = "paxosbench_journal_syncs_total"
	metricJournalBytes    = "paxosbench_journal_bytes_total"
)

func ratio(a, b float64) float64 {
	if b <= 0 {
		return 0
	}
	return a / b
}

// Exposed lists the replicas that listen where others than their hosts may connect, without anybody proving who they are.
func Exposed(scrapes []Scrape) (who []string) {
	for _, look := range scrapes {
		var config struct {
			Exposed bool `json:"insecure-listen"`
		}
		if json.Unmarshal(look.Status.Config, &config) == nil && config.Exposed {
			who = append(who, fmt.Sprintf("replica %d", look.Status.ID))
		}
	}
	return who
}

// Unseen lists the nodes that could not be asked at both looks, with the reason.
func Unseen(before, after []Scrape) (who []string) {
	for i := range after {
		if err := cmp.Or(earlier(before, &after[i]).Err, after[i].Err); err != nil {
			who = append(who, err.Error())
		}
	}
	return who
}

// LeaderChanged reports whether two looks at the nodes saw different leaders, and whether each saw one. Nodes that did not answer have
// no say.
func LeaderChanged(before, after []Scrape) (changed, known bool) {
	one, two := newestLeader(before), newestLeader(after)
	known = one != 0 && two != 0
	return known && one != two, known
}

// newestLeader returns the leader according to the newest ballot that any node knows.
func newestLeader(scrapes []Scrape) wire.ReplicaID {
	var newest Status
	for _, s := range scrapes {
		if s.Err == nil && s.Status.Ballot >= newest.Ballot {
			newest = s.Status
		}
	}
	return newest.Leader
}

// leading returns the node that says that it leads, or works alone; of several the one with the newest ballot. It returns 0 if none
// says so.
func leading(scrapes []Scrape) wire.ReplicaID {
	var newest Status
	for i := range scrapes {
		s := &scrapes[i].Status
		leads := s.Role == target.RoleLeader || s.Role == target.RoleUnreplicated
		if scrapes[i].Err == nil && leads && s.ID != 0 && s.Ballot >= newest.Ballot {
			newest = *s
		}
	}
	return newest.ID
}

// askTimeout bounds how long nodes may take to say whether they lead: one that hangs does not.
const askTimeout = 250 * time.Millisecond

// AskLeader returns the node that says that it leads, 0 if none says so.
func AskLeader(ctx context.Context, nodes Nodes) wire.ReplicaID {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return leading(nodes.Statuses(ctx))
}

// addRises adds to deltas what counters have risen by, from 0 for a process that is seen from its beginning.
func addRises(deltas, before, after map[string]float64, fromZero bool) {
	for name, v := range after {
		if old, ok := before[name]; (ok || fromZero) && v > old {
			deltas[name] += v - old
		}
	}
}

// CompareDigests waits until the nodes that answer have applied the same slots and compares their states: equal, differ, or unknown if
// they do not get that far. Of fewer than two that answer nothing is observed.
func CompareDigests(ctx context.Context, nodes Nodes) string {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	for {
		scrapes := nodes.Statuses(ctx)
		if len(scrapes) == 1 && scrapes[0].Err == nil {
			return "" // nothing to compare it with
		}
		outcome := digestsOf(scrapes)
		if outcome != "unknown" {
			return outcome
		}
		select {
		case <-ctx.Done():
			return outcome
		case <-time.After(settlePoll):
		}
	}
}

// digestsOf compares the states of the nodes that have told their digest.
func digestsOf(scrapes []Scrape) string {
	var statuses []*Status
	for i := range scrapes {
		if s := &scrapes[i]; s.Err == nil && s.Status.digest() != "" {
			statuses = append(statuses, &s.Status)
		}
	}
	if len(statuses) < 2 {
		return record.DigestsUnseen
	}
	outcome := "equal"
	for _, s := range statuses[1:] {
		if s.Applied != statuses[0].Applied {
			return "unknown"
		}
		if s.digest() != statuses[0].digest() {
			outcome = "differ"
		}
	}
	return outcome
}
