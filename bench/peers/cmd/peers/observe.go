//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"

	"paxosbench/bench/client"
	"paxosbench/bench/cluster"
	"paxosbench/bench/target"
)

// watched is what the manager of clusters sees of the processes of a system that has no pages of ours.
type watched struct{ of *cluster.Cluster }

// errSilent is the error of a process that runs and does not answer, or does not run.
var errSilent = errors.New("it does not answer")

// Observe implements target.Observer.
func (w watched) Observe(ctx context.Context) ([]target.Observation, error) {
	seen, err := w.of.Look(ctx)
	found := make([]target.Observation, len(seen))
	for i, s := range seen {
		found[i] = target.Observation{Node: fmt.Sprint("node ", s.ID), Role: s.Role, PID: s.PID, CPU: s.CPU}
		if s.Role == "" {
			found[i].Err = errSilent
		}
	}
	return found, err
}

// driven is a system that a driver reaches.
type driven struct {
	target.Driver
	watched
}

// named is a system that speaks our protocol and is not ours.
type named struct {
	client.System
	watched
	name string
}

// Name implements target.System.
func (n named) Name() string { return n.name }
