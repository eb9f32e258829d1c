// Package observe looks at the replicas under load from outside, by their admin addresses: who leads, what they count, whether
// their states are equal; and says what two looks before and after a measurement differ by. It acts on nothing, and knows
// neither the load nor the verdict: a replica that does not answer is an error in its Scrape, and no figure.
package observe

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"paxosbench/bench/record"
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

// Scrape is one look at one replica.
type Scrape struct {
	Admin   string // its address
	At      time.Time
	Status  Status
	Metrics map[string]float64
	Err     error
}

// ScrapeAll looks at all replicas at once.
func ScrapeAll(ctx context.Context, admin []string) []Scrape {
	scrapes := make([]Scrape, len(admin))
	var wg sync.WaitGroup
	for i, addr := range admin {
		wg.Go(func() { scrapes[i] = ScrapeOne(ctx, addr) })
	}
	wg.Wait()
	return scrapes
}

// ScrapeOne looks at one replica.
func ScrapeOne(ctx context.Context, admin string) Scrape {
	s := Scrape{Admin: admin, At: time.Now()}
	s.Status, s.Err = FetchStatus(ctx, admin)
	if s.Err != nil {
		return s
	}
	// A replica without metrics is described by its status alone.
	if body, err := fetch(ctx, admin, "/metrics"); err == nil {
		s.Metrics = parseMetrics(string(body))
	}
	return s
}

// FetchStatus asks a replica for its status alone.
func FetchStatus(ctx context.Context, admin string) (Status, error) {
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

// parseMetrics reads the samples of Prometheus' text format, by name and labels as written.
func parseMetrics(text string) map[string]float64 {
	metrics := make(map[string]float64)
	scanner := bufio.NewScanner(strings.NewReader(text))
	for scanner.Scan() {
		line := scanner.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		cut := strings.LastIndexByte(line, ' ')
		if cut < 0 {
			continue
		}
		if v, err := strconv.ParseFloat(line[cut+1:], 64); err == nil {
			metrics[line[:cut]] = v
		}
	}
	return metrics
}

// Describe compares two looks at the replicas, between which ops operations were answered, and some replicas were
// killed after a last look at them.
func Describe(before, after, ended []Scrape, ops int64) []record.Replica {
	replicas := make([]record.Replica, 0, len(after))
	for i := range after {
		replicas = append(replicas, describeReplica(&before[i], &after[i], ended, ops))
	}
	return replicas
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

// Unseen lists the replicas that could not be asked at both looks, with the reason.
func Unseen(before, after []Scrape) (who []string) {
	for i := range after {
		for _, look := range []*Scrape{&before[i], &after[i]} {
			if look.Err != nil {
				who = append(who, look.Err.Error())
				break
			}
		}
	}
	return who
}

// LeaderChanged reports whether two looks at the replicas saw different leaders. Replicas that did not answer have no
// say.
func LeaderChanged(before, after []Scrape) bool {
	one, two := newestLeader(before), newestLeader(after)
	return one != two && one != 0 && two != 0
}

// newestLeader returns the leader according to the newest ballot that any replica knows.
func newestLeader(scrapes []Scrape) wire.ReplicaID {
	var newest Status
	for _, s := range scrapes {
		if s.Err == nil && s.Status.Ballot >= newest.Ballot {
			newest = s.Status
		}
	}
	return newest.Leader
}

// askTimeout bounds how long replicas may take to say whether they lead: one that hangs does not.
const askTimeout = 250 * time.Millisecond

// AskLeader returns the replica that says that it leads, or works alone; of several the one with the newest ballot. It
// returns 0 if none says so.
func AskLeader(ctx context.Context, admin []string) wire.ReplicaID {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	statuses := make([]Status, len(admin))
	var wg sync.WaitGroup
	for i, addr := range admin {
		wg.Go(func() {
			if s, err := FetchStatus(ctx, addr); err == nil && (s.Role == "leader" || s.Role == "unreplicated") {
				statuses[i] = s
			}
		})
	}
	wg.Wait()
	var newest Status
	for _, s := range statuses {
		if s.ID != 0 && s.Ballot >= newest.Ballot {
			newest = s
		}
	}
	return newest.ID
}

// addRises adds to deltas what counters, by the naming convention _total, _sum and _count, have risen by, from 0 for a
// process that is seen from its beginning.
func addRises(deltas, before, after map[string]float64, fromZero bool) {
	for name, v := range after {
		base, _, _ := strings.Cut(name, "{")
		counter := strings.HasSuffix(base, "_total") || strings.HasSuffix(base, "_sum") || strings.HasSuffix(base, "_count")
		if old, ok := before[name]; counter && (ok || fromZero) && v > old {
			deltas[name] += v - old
		}
	}
}

// CompareDigests waits until the replicas that answer have applied the same slots and compares their states: equal,
// differ, or unknown if they do not get that far. Of fewer than two that answer nothing is observed.
func CompareDigests(ctx context.Context, admin []string) string {
	if len(admin) == 1 {
		return "" // nothing to compare it with
	}
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	for {
		outcome := digestsOf(scrapeStatus(ctx, admin))
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

func scrapeStatus(ctx context.Context, admin []string) []Status {
	var statuses []Status
	for _, addr := range admin {
		if s, err := FetchStatus(ctx, addr); err == nil && s.digest() != "" {
			statuses = append(statuses, s)
		}
	}
	return statuses
}

func digestsOf(statuses []Status) string {
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
