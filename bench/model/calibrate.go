package model

import (
	"context"
	"errors"
	"fmt"
	"time"

	"paxosbench/bench/record"
	"paxosbench/bench/suite"
)

// Measure runs a cell with a cluster of its own and returns what the load generator saw.
type Measure func(ctx context.Context, cell suite.Cell) (*record.Result, error)

// Calibrate measures what the host gives. dir is a directory on the disk that replicas keep their data on. The
// processor costs come from short closed loops, three for each durability and one unreplicated.
func Calibrate(ctx context.Context, dir string, host suite.Host, measure Measure) (*Calibration, error) {
	c := &Calibration{Schema: Schema, Taken: time.Now().UTC(), Host: host.Name, CPUs: host.CPUs, Costs: make(map[string]Costs)}
	if err := c.measureDisk(dir); err != nil {
		return nil, fmt.Errorf("calibrate the disk: %w", err)
	}
	if err := c.measureLoopback(); err != nil {
		return nil, fmt.Errorf("calibrate the network: %w", err)
	}
	for _, durability := range []string{"none", "os", "fsync"} {
		costs, err := replicatedCosts(ctx, durability, measure)
		if err != nil {
			return nil, fmt.Errorf("calibrate the processors, durability %s: %w", durability, err)
		}
		c.Costs[durability] = costs
	}
	costs, err := unreplicatedCosts(ctx, measure)
	if err != nil {
		return nil, fmt.Errorf("calibrate the processors, unreplicated: %w", err)
	}
	c.Costs[Unreplicated] = costs
	return c, nil
}

// Values of the calibrating runs: enough in flight to keep the host busy, batches and values far enough apart to tell
// the costs of a command, of a batch and of a byte from each other.
const (
	smallBatch, largeBatch = "count:16", "count:2048"
	smallValue, largeValue = "8", "1024"
	keySize                = 8
)

func calibrating(settings ...suite.Setting) suite.Cell {
	cell := suite.Cell{{Knob: "conns", Value: "4"}, {Knob: suite.KnobWindow, Value: "4096"}, {Knob: "value-size", Value: smallValue}}
	return suite.Cell(settings).Over(cell)
}

func replicatedCosts(ctx context.Context, durability string, measure Measure) (Costs, error) {
	var observed [3]observation
	for i, v := range []struct{ batch, value string }{{smallBatch, smallValue}, {largeBatch, smallValue}, {largeBatch, largeValue}} {
		cell := calibrating(suite.Setting{Knob: suite.KnobReplicas, Value: "3"}, suite.Setting{Knob: "durability", Value: durability},
			suite.Setting{Knob: "batch", Value: v.batch}, suite.Setting{Knob: "value-size", Value: v.value})
		result, err := measure(ctx, cell)
		if err != nil {
			return Costs{}, fmt.Errorf("cell %s: %w", cell, err)
		}
		if observed[i], err = observe(result); err != nil {
			return Costs{}, fmt.Errorf("cell %s: %w", cell, err)
		}
		value, _ := suite.Numeric(v.value)
		observed[i].bytes = keySize + value
	}
	return Costs{
		Leader:   solve(observed, func(o observation) float64 { return o.leader }),
		Follower: solve(observed, func(o observation) float64 { return o.follower }),
		Loadgen:  solve(observed, func(o observation) float64 { return o.loadgen }),
	}, nil
}

// unreplicatedCosts takes the load as it comes: there are no batches.
func unreplicatedCosts(ctx context.Context, measure Measure) (Costs, error) {
	result, err := measure(ctx, calibrating(suite.Setting{Knob: suite.KnobReplicas, Value: "1"},
		suite.Setting{Knob: suite.KnobUnreplicated, Value: "true"}))
	if err != nil {
		return Costs{}, err
	}
	for _, r := range result.Replicas {
		if r.CPUNsPerOp > 0 {
			return Costs{Leader: Cost{CommandNs: r.CPUNsPerOp}, Loadgen: Cost{CommandNs: result.Generator.CPUNsPerOp}}, nil
		}
	}
	return Costs{}, errNoFigures
}

// observation is what one run says about costs: nanoseconds per command at a mean size of batches and of commands.
type observation struct {
	leader, follower, loadgen float64
	batch, bytes              float64
}

var errNoFigures = errors.New("the replicas gave no figures: are their admin addresses reachable?")

func observe(r *record.Result) (observation, error) {
	o := observation{loadgen: r.Generator.CPUNsPerOp}
	followers := 0.0
	for _, replica := range r.Replicas {
		if replica.Role == "leader" {
			o.leader, o.batch = replica.CPUNsPerOp, replica.Batch
			continue
		}
		o.follower += replica.CPUNsPerOp
		followers++
	}
	if o.leader <= 0 || o.batch <= 0 || o.follower <= 0 {
		return o, errNoFigures
	}
	o.follower /= followers
	return o, nil
}

// solve finds the cost of a command, a batch and a byte from runs with small batches, with large ones, and with large
// batches of large values. A cost that comes out negative is lost in the noise: it is 0, and the others make up for it.
func solve(o [3]observation, of func(observation) float64) Cost {
	small, large, bytes := o[0], o[1], o[2]
	var c Cost
	if apart := 1/small.batch - 1/large.batch; apart > 0 {
		c.BatchNs = max(0, (of(small)-of(large))/apart)
	}
	perBatchless := func(o observation) float64 { return of(o) - c.BatchNs/o.batch }
	c.ByteNs = max(0, (perBatchless(bytes)-perBatchless(large))/(bytes.bytes-large.bytes))
	c.CommandNs = max(0, perBatchless(large)-c.ByteNs*large.bytes)
	return c
}
