package suite

import "time"

// Schema names the format of a results directory. A change that a reader of an older one would misread raises it.
const Schema = "paxosbench.suite/1"

// Manifest says where, when and how a suite was run: what a caption or a doubt needs.
type Manifest struct {
	Schema  string    `json:"schema"`
	Suite   string    `json:"suite"`
	Started time.Time `json:"started"`
	// Command is the command line that made the directory.
	Command []string `json:"command"`
	Seed    uint64   `json:"seed"`
	// Repeats, Warmup and Duration are those in force, which the command line may have changed.
	Repeats  int           `json:"repeats"`
	Warmup   time.Duration `json:"warmup_ns"`
	Duration time.Duration `json:"duration_ns"`
	// Only are the patterns of cells that the plan was limited to; none: all cells.
	Only []string `json:"only,omitempty"`
	// Commit is that of the programs' source; Dirty if it had been changed since.
	Commit string `json:"commit"`
	Dirty  bool   `json:"dirty"`
	Host   Host   `json:"host"`
	// Nice is the priority that the processes ran at: 0 is the usual one, negative is raised.
	Nice int `json:"nice"`
}

// Host is the machine.
type Host struct {
	Name     string `json:"name"`
	Kernel   string `json:"kernel"`
	CPU      string `json:"cpu"`
	CPUs     int    `json:"cpus"`
	Governor string `json:"governor"` // of the CPU's frequency; "unknown" on machines that do not tell
	Memory   int64  `json:"memory_bytes"`
	// Filesystem is that of the data directories.
	Filesystem string `json:"filesystem"`
	Go         string `json:"go"`
	// CongestionControl is how TCP beyond the host is controlled; empty if it does not tell, and in manifests from before it was asked for.
	CongestionControl string `json:"congestion_control,omitempty"`
}
