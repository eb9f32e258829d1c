package cluster

import (
	"context"
	"fmt"
	"io"

	"paxosbench/bench/netem"
)

// WriteStatus writes one line for each replica.
func (c *Cluster) WriteStatus(ctx context.Context, w io.Writer) error {
	s, err := c.State()
	if err != nil {
		return err
	}
	if !s.up() {
		return refused("no cluster is up in %s; start one: %s", c.dir, CommandLine(c.dir, "up"))
	}
	line := func(id, pid, role, ballot, commit, applied, digest, network any) {
		fmt.Fprintf(w, "%-3v %-8v %-13v %-8v %-12v %-12v %-16v %v\n", id, pid, role, ballot, commit, applied, digest, network)
	}
	line("id", "pid", "role", "ballot", "commit", "applied", "digest", "network")
	network := c.networkColumn(ctx, s)
	for i, status := range c.looks(ctx, s.Members) {
		m := &s.Members[i]
		switch {
		case !m.Alive():
			line(m.ID, "-", "down", "-", "-", "-", "-", network(m))
		case status.Role == "" && m.Process.hung():
			line(m.ID, m.Process.PID, "stopped", "-", "-", "-", "-", network(m))
		case status.Role == "":
			line(m.ID, m.Process.PID, "silent", "-", "-", "-", "-", network(m))
		default:
			line(m.ID, m.Process.PID, status.Role, status.Ballot, status.Commit, status.Applied, status.Digest, network(m))
		}
	}
	return nil
}

// networkColumn returns what to say about a replica's network.
func (c *Cluster) networkColumn(ctx context.Context, s *State) func(*Member) string {
	if s.Network == nil {
		return func(*Member) string { return "direct" }
	}
	faults, err := netem.Faults(ctx, s.Network.Control)
	return func(m *Member) string {
		switch fault := faults[m.ID]; {
		case err != nil:
			return "down"
		case fault == netem.None:
			return "whole"
		default:
			return string(fault)
		}
	}
}
