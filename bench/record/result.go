package record

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"paxosbench/wire"
)

// Schema names the format of Result. A change that a reader of an older one would misread raises the number.
const Schema = "paxosbench.loadgen/1"

// Verdict says how far a result may be believed.
type Verdict string

// Verdicts. An invalid run's figures do not describe the system under test as it was to be tested.
const (
	Valid    Verdict = "valid"
	Degraded Verdict = "degraded"
	Invalid  Verdict = "invalid"
)

// Result is what a run leaves behind as result.json.
type Result struct {
	Schema  string   `json:"schema"`
	Verdict Verdict  `json:"verdict"`
	Reasons []string `json:"reasons"`
	// Checks are the figures behind the verdict, passed or not.
	Checks []Check `json:"checks"`

	// ThroughputOpsPerS counts operations answered within the measurement.
	ThroughputOpsPerS float64 `json:"throughput_ops_per_s"`
	// MeasuredS is the length of the measurement in seconds.
	MeasuredS float64   `json:"measured_s"`
	StartedAt time.Time `json:"started_at"`
	Ops       Counts    `json:"ops"`
	Client    Client    `json:"client"`

	// Latency is measured from when operations were due: the headline.
	Latency Latency `json:"latency_ns"`
	// Service is measured from when they were handed to the socket.
	Service Latency `json:"service_ns"`
	// SendLag is the difference of the two, the generator's own health.
	SendLag Latency `json:"send_lag_ns"`
	// Failure is the age of operations whose outcome is unknown.
	Failure Latency `json:"failure_ns"`

	Generator    Generator    `json:"generator"`
	Generators   []Generator  `json:"generators,omitempty"` // of a merged result
	Replicas     []Replica    `json:"replicas"`
	Processes    *Processes   `json:"processes,omitempty"` // nil: nobody has looked at them
	Verification Verification `json:"verification"`
	Events       []Event      `json:"events,omitempty"`
	// Stages are the parts of the measurement that had rates of their own.
	Stages []Stage `json:"stages,omitempty"`
	// Config holds the effective configuration of the run, every value spelled as on the command line.
	Config map[string]any `json:"config"`
	Host   Host           `json:"host"`
	HDR    Blobs          `json:"hdr"`
}

// Check is one criterion of the verdict.
type Check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Value and Limit are in Unit; the check fails if Value lies on the wrong side of Limit.
	Value float64 `json:"value"`
	Limit float64 `json:"limit"`
	Unit  string  `json:"unit"`
	// Severity is the verdict if the check fails.
	Severity Verdict `json:"severity"`
	Reason   string  `json:"reason,omitempty"` // if it failed, or could not be observed
	// NotObserved tells that there was nothing to judge by: the check has neither passed nor failed.
	NotObserved bool `json:"not_observed,omitempty"`
}

// Outcome says in a word what came of the check.
func (c *Check) Outcome() string {
	switch {
	case c.NotObserved:
		return "not observed"
	case c.OK:
		return "yes"
	}
	return "NO"
}

// Failed reports whether the check was made and did not pass.
func (c *Check) Failed() bool { return !c.OK && !c.NotObserved }

// Text renders the value and the limit for people, the limit with the unit.
func (c *Check) Text() (value, limit string) {
	if c.Unit == "ns" {
		return Ns(int64(c.Value)), Ns(int64(c.Limit))
	}
	return fmt.Sprintf("%.4g", c.Value), strings.TrimSpace(fmt.Sprintf("%.4g %s", c.Limit, c.Unit))
}

// Failure renders a check that failed as a reason of the verdict.
func (c *Check) Failure() string {
	value, limit := c.Text()
	return fmt.Sprintf("%s: %s (%s, limit %s)", c.Name, c.Reason, value, limit)
}

// Client counts what the connections saw during the measurement.
type Client struct {
	Retries       int64 `json:"retries"`
	Busy          int64 `json:"busy"`
	Gaps          int64 `json:"gaps"`
	Redirects     int64 `json:"redirects"`
	Reconnects    int64 `json:"reconnects"`
	Stalls        int64 `json:"stalls"`
	Duplicates    int64 `json:"duplicates"`
	CorruptFrames int64 `json:"corrupt_frames"`
	LostSessions  int64 `json:"lost_sessions"`
	BytesSent     int64 `json:"bytes_sent"`
	BytesReceived int64 `json:"bytes_received"`
	FramesSent    int64 `json:"frames_sent"`
	FramesRead    int64 `json:"frames_received"`
	Granted       int   `json:"window_granted"` // commands in flight a connection may have
}

// Generator describes one load generator and its cost.
type Generator struct {
	Name              string  `json:"name"`
	ThroughputOpsPerS float64 `json:"throughput_ops_per_s"`
	Ops               Counts  `json:"ops"`
	Latency           Latency `json:"latency_ns"`
	CPUNsPerOp        float64 `json:"cpu_ns_per_op"`
	// CPUShare is the CPU time used per second of measurement: 1 is one core.
	CPUShare float64 `json:"cpu_share"`
	Threads  int     `json:"threads"`
	Version  string  `json:"version"` // what it was built from
}

// Replica is one replica as its admin endpoint, or a driver, described it around the measurement. What that did not tell is absent.
type Replica struct {
	ID          wire.ReplicaID `json:"id"`
	Role        string         `json:"role"`
	Admin       string         `json:"admin"` // its address, or its name to the driver
	Error       string         `json:"error,omitempty"`
	CPUNsPerOp  float64        `json:"cpu_ns_per_op,omitempty"`
	CPUShare    float64        `json:"cpu_share,omitempty"`
	Restarts    int            `json:"restarts,omitempty"` // during the measurement; figures are of all its processes
	Commit      uint64         `json:"commit,omitempty"`
	Applied     uint64         `json:"applied,omitempty"`
	StateDigest string         `json:"state_digest,omitempty"`
	// Batch is the mean number of commands per batch applied, Window the mean number of slots in flight when one was
	// proposed, Syncs the journal's syncs per second, BytesPerSync what one of them wrote.
	Batch        float64 `json:"batch,omitempty"`
	Window       float64 `json:"window,omitempty"`
	Syncs        float64 `json:"syncs,omitempty"`
	BytesPerSync float64 `json:"bytes_per_sync,omitempty"`
	// Deltas holds, for every counter of /metrics, how much it rose during the measurement.
	Deltas map[string]float64 `json:"deltas,omitempty"`
	// Config and Version are the replica's own account of its configuration and of what it was built from.
	Config  json.RawMessage `json:"config,omitempty"`
	Version json.RawMessage `json:"version,omitempty"`
}

// Processes is what all processes of the system together have used during the measurement, as the operating system saw it:
// the same for every system, whatever it tells of itself.
type Processes struct {
	CPUNsPerOp     float64 `json:"cpu_ns_per_op"`
	DiskBytesPerOp float64 `json:"disk_bytes_per_op"`
	// WireBytesPerOp are those of everything on the loopback interface, headers included: between clients and replicas and
	// between replicas, and whatever else there was.
	WireBytesPerOp float64 `json:"wire_bytes_per_op"`
	MemoryBytes    float64 `json:"memory_bytes"` // resident, at the end of the measurement
}

// Verification says what was checked about the answers, and what was found.
type Verification struct {
	Mode      string `json:"mode"` // none, replies, history
	Checked   int64  `json:"checked"`
	Reads     int64  `json:"reads"`
	Foreign   int64  `json:"foreign"`    // reads of values that this run did not write
	NotJudged int64  `json:"not_judged"` // answers about which too little was known to tell whether they were right
	// ReadBack counts the keys that were read once more after the load, and what was found compared with the last write
	// acknowledged. Rounds counts the exercises of order, compare-and-set and resending that followed.
	ReadBack int64 `json:"read_back"`
	Rounds   int64 `json:"rounds"`
	// NotChecked lists what was not checked, and why.
	NotChecked []string `json:"not_checked,omitempty"`
	Violations int64    `json:"violations"`
	Reports    []string `json:"reports,omitempty"` // the first few violations
	// History is the outcome of the linearizability check of sampled keys: ok, illegal, unknown (none was decided in
	// time) or empty. HistoryOps counts the operations on keys that were decided, HistoryUndecided the others.
	History          string `json:"history,omitempty"`
	HistoryOps       int    `json:"history_ops,omitempty"`
	HistoryUndecided int    `json:"history_undecided,omitempty"`
	// Digests compares the replicas' states at the end: equal, differ, unknown (they did not get to the same slot), not observed
	// (fewer than two could be asked), or empty: they were not to be compared.
	Digests string `json:"digests,omitempty"`
}

// Stage is a part of the measurement with a rate of its own, and what came of it: what was due, answered or given up while it
// lasted. What was answered after the end of all counts to the last one.
type Stage struct {
	AtS     float64 `json:"at_s"`
	LengthS float64 `json:"length_s"`
	Rate    string  `json:"rate"` // in operations per second, as on the command line
	OpsPerS float64 `json:"ops_per_s"`
	Ops     Counts  `json:"ops"`
	Latency Latency `json:"latency_ns"`
	Service Latency `json:"service_ns"`
}

// Event is something done to the system, or seen to happen, during the measurement.
type Event struct {
	// AtS is when it began, in seconds from the beginning of the measurement, TookS how long until it was done: it
	// took effect somewhere in between.
	AtS   float64 `json:"at_s"`
	TookS float64 `json:"took_s,omitempty"`
	Text  string  `json:"text"`
	Error string  `json:"error,omitempty"`
	Note  string  `json:"note,omitempty"` // what was not observed of it
}

// Host is the machine a generator ran on.
type Host struct {
	Name   string `json:"name"`
	CPU    string `json:"cpu"`
	CPUs   int    `json:"cpus"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	// CongestionControl is the host's for TCP beyond it, empty if it does not tell: one that paces, as bbr does, is slower between processes of
	// one host. Those of this project do without there; whether others do is theirs.
	CongestionControl string `json:"congestion_control,omitempty"`

	StealS float64 `json:"steal_s"` // CPU time other guests took during the measurement, in seconds
	// StealPercent is StealS relative to all CPU time of the measurement.
	StealPercent float64 `json:"steal_percent"`
	// Looks is how often during the measurement it was looked, at random, whether the machine stood still, whatever its host calls
	// that. It is absent if the kernel does not tell what it takes to know.
	Looks int `json:"looks,omitempty"`
	Stops int `json:"stops,omitempty"` // looks that found it standing still
	// StoppedPercent is Stops relative to Looks: about the share of the measurement in which the machine stood still.
	StoppedPercent float64 `json:"stopped_percent,omitempty"`
	LongestStopNs  int64   `json:"longest_stop_ns,omitempty"` // the longest one seen, from the look on
}

// Blobs are the histograms in HdrHistogram's V2 format, base64, with their exact figures beside them. They are what
// is merged: percentiles are not.
type Blobs struct {
	Intended string           `json:"intended"`
	Service  string           `json:"service"`
	SendLag  string           `json:"send_lag"`
	Failure  string           `json:"failure"`
	Exact    map[string]Exact `json:"exact"`
}

// NewBlobs encodes the histograms of a set.
func NewBlobs(set *Set) (Blobs, error) {
	blobs := Blobs{Exact: make(map[string]Exact)}
	for name, part := range blobs.parts(set) {
		encoded, exact, err := (*part.histogram).Encode()
		if err != nil {
			return Blobs{}, err
		}
		*part.blob, blobs.Exact[name] = encoded, exact
	}
	return blobs, nil
}

// Set decodes the histograms; the set's counts are zero.
func (b *Blobs) Set() (*Set, error) {
	set := NewSet()
	for name, part := range b.parts(set) {
		h, err := DecodeHistogram(*part.blob, b.Exact[name])
		if err != nil {
			return nil, fmt.Errorf("hdr.%s: %w", name, err)
		}
		*part.histogram = h
	}
	return set, nil
}

type blobPart struct {
	blob      *string
	histogram **Histogram
}

// parts pairs each encoded histogram with its place in a set.
func (b *Blobs) parts(set *Set) map[string]blobPart {
	return map[string]blobPart{
		"intended": {&b.Intended, &set.Intended},
		"service":  {&b.Service, &set.Service},
		"send_lag": {&b.SendLag, &set.SendLag},
		"failure":  {&b.Failure, &set.Failure},
	}
}

// SetFigures fills what the merged set of a measurement determines: counts, latencies and encoded histograms.
func (r *Result) SetFigures(set *Set) error {
	blobs, err := NewBlobs(set)
	if err != nil {
		return err
	}
	r.HDR = blobs
	r.Ops = set.Counts
	r.Latency = set.Intended.Summary()
	r.Service = set.Service.Summary()
	r.SendLag = set.SendLag.Summary()
	r.Failure = set.Failure.Summary()
	return nil
}

// ResultFile is the name of a result in its directory.
const ResultFile = "result.json"

// Load reads a result from a file, or from result.json in a directory.
func Load(path string) (*Result, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, ResultFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r Result
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if r.Schema != Schema {
		return nil, fmt.Errorf("%s: schema %q, this program reads %q", path, r.Schema, Schema)
	}
	return &r, nil
}

// MarshalIndented returns the result as it is written to files.
func (r *Result) MarshalIndented() ([]byte, error) {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("result: %w", err)
	}
	return append(data, '\n'), nil
}
