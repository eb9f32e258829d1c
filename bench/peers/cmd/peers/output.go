//go:build linux

package main

import (
	"time"

	"paxosbench/bench/cluster"
	"paxosbench/bench/load"
	"paxosbench/bench/record"
)

// output receives the series of a run, and looks at the system's processes when the measurement begins and ends.
type output struct {
	*record.Dir // nil: nothing is written
	of          *cluster.Cluster
	duration    time.Duration
	looks       chan look
}

// look is what the processes have used at both ends.
type look struct {
	before, after cluster.Usage
	err           error
}

func (c *loadCommand) output(of *cluster.Cluster, cfg *load.Config) (*output, error) {
	o := &output{of: of, duration: cfg.Duration, looks: make(chan look, 1)}
	if c.Out == "" {
		return o, nil
	}
	var err error
	o.Dir, err = record.CreateDir(c.Out)
	return o, err
}

// Start implements load.Output.
func (o *output) Start(at time.Time) error {
	before, err := o.of.Usage()
	go func() {
		time.Sleep(time.Until(at.Add(o.duration)))
		after, err2 := o.of.Usage()
		if err == nil {
			err = err2
		}
		o.looks <- look{before, after, err}
	}()
	if o.Dir == nil {
		return nil
	}
	return o.Dir.Start(at)
}

// Interval implements record.Sink.
func (o *output) Interval(row *record.Row, set *record.Set) error {
	if o.Dir == nil {
		return nil
	}
	return o.Dir.Interval(row, set)
}

// finish adds to the result what the processes have used, and writes it. Of processes that were ended meanwhile nobody knows it.
func (o *output) finish(outcome *load.Outcome) error {
	seen, r := <-o.looks, outcome.Result
	ops := r.ThroughputOpsPerS * r.MeasuredS
	if seen.err == nil && ops > 0 && len(r.Events) == 0 && !outcome.Interrupted {
		r.Processes = &record.Processes{
			CPUNsPerOp:     float64(seen.after.CPU-seen.before.CPU) / ops,
			DiskBytesPerOp: float64(seen.after.Disk-seen.before.Disk) / ops,
			WireBytesPerOp: float64(seen.after.Wire-seen.before.Wire) / ops,
			MemoryBytes:    float64(seen.after.Memory),
		}
	}
	if o.Dir == nil {
		return nil
	}
	return o.Dir.Finish(r, outcome.Rows, outcome.Set)
}

// abandon removes what is unfinished.
func (o *output) abandon() error {
	if o.Dir == nil {
		return nil
	}
	return o.Dir.Abandon()
}
