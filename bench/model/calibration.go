// Package model says how fast a configuration could be at best: the analytic bound that measurements are drawn beside.
//
// It is the model of Santos and Schiper, "Tuning Paxos for high-throughput with batching and pipelining" (ICDCN 2012):
// a batch takes some time from its proposal until it is chosen, a window of them is under way at once, and no resource
// can give more than it has. What processors, disk and network give is measured on the host (Calibrate), so the bound
// holds for one machine and one version of the programs. It leaves out queues, elections, snapshots and whatever else
// stands in the way: a system that comes close to it is well made, and one that exceeds it was badly calibrated.
package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"paxosbench/bench/record"
)

// Schema names the format of a calibration.
const Schema = "paxosbench.calibration/1"

// File is the name of a calibration in a results directory, or in the directory above several.
const File = "calibration.json"

// Unreplicated is the key of Costs for a single replica without protocol or journal.
const Unreplicated = "unreplicated"

// Calibration is what a host gives: the constants of the model.
type Calibration struct {
	Schema string    `json:"schema"`
	Taken  time.Time `json:"taken"`
	Host   string    `json:"host"`
	Commit string    `json:"commit"` // of the programs whose costs these are
	CPUs   int       `json:"cpus"`
	// SyncNs is how long it takes to write 4 KiB over old data and sync it; median.
	SyncNs float64 `json:"sync_ns"`
	// DiskBytesPerS is what writes of 1 MiB, each synced, come to.
	DiskBytesPerS float64 `json:"disk_bytes_per_s"`
	// RoundTripNs is how long a message of 64 bytes and its answer take over loopback; median.
	RoundTripNs float64 `json:"round_trip_ns"`
	// Costs holds the processor time that commands take, by durability (none, os, fsync) or Unreplicated.
	Costs map[string]Costs `json:"costs"`
}

// Costs are those of the processes that handle a command.
type Costs struct {
	Leader   Cost `json:"leader"`
	Follower Cost `json:"follower"` // each
	Loadgen  Cost `json:"loadgen"`
}

// Cost is the processor time of a process, in nanoseconds: for every command, for every batch, and for every byte of a
// command's key and value.
type Cost struct {
	CommandNs float64 `json:"command_ns"`
	BatchNs   float64 `json:"batch_ns"`
	ByteNs    float64 `json:"byte_ns"`
}

// perCommand is the cost of one of the commands of a batch, in nanoseconds.
func (c Cost) perCommand(batch, bytes float64) float64 {
	return c.CommandNs + c.BatchNs/batch + c.ByteNs*bytes
}

// Other says in what the calibration is of something else than measurements of a commit on a host, or nothing: then the
// bound says less about them.
func (c *Calibration) Other(commit, host string, cpus int) string {
	var other []string
	if c.Commit != commit {
		other = append(other, fmt.Sprintf("commit %s, and the runs are of %s", shortCommit(c.Commit), shortCommit(commit)))
	}
	if c.Host != host || c.CPUs != cpus {
		other = append(other, fmt.Sprintf("host %s with %d processors, and the runs are of %s with %d", c.Host, c.CPUs, host, cpus))
	}
	return strings.Join(other, "; ")
}

func shortCommit(commit string) string {
	if commit == "" {
		return "unknown"
	}
	return commit[:min(len(commit), 12)]
}

// Find returns the calibration for a results directory: its own, or that of the directory above. It returns nil
// without an error if there is none.
func Find(dir string) (*Calibration, error) {
	for _, place := range []string{dir, filepath.Dir(filepath.Clean(dir))} {
		c, err := Load(filepath.Join(place, File))
		if !errors.Is(err, fs.ErrNotExist) {
			return c, err
		}
	}
	return nil, nil
}

// Load reads a calibration.
func Load(path string) (*Calibration, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var c Calibration
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if c.Schema != Schema {
		return nil, fmt.Errorf("%s: schema %q, this program reads %q: calibrate again", path, c.Schema, Schema)
	}
	return &c, nil
}

// Save writes a calibration.
func (c *Calibration) Save(path string) error {
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("calibration: %w", err)
	}
	return record.SaveFile(path, append(data, '\n'))
}
