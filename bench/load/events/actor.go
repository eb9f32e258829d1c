// Package events carries out what is to be done to the replicas during a measurement, such as killing the leader: to the cluster
// under load and no other, at its time, and until its effect is seen. It knows clusters and replicas, and nothing of the load.
package events

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	manager "paxosbench/bench/cluster"
)

// actor does things to the replicas of the cluster with an id, and to those of no other.
type actor interface {
	// leader waits for a leader and returns its id.
	leader(ctx context.Context, cluster string) (string, error)
	// act does something to a replica.
	act(ctx context.Context, cluster, action, replica string) error
	// check reports what would keep events from taking place.
	check(events []Planned) error
	// sees tells whether act returns only when the effect is there.
	sees() bool
}

// actor returns who carries out events: the program that was named, or the manager of clusters on this host.
func (p *Plan) actor() actor {
	if p.ClusterScript != "" {
		return program(p.ClusterScript)
	}
	return managed(p.ClusterDir)
}

// managed is the directory of a cluster on this host.
type managed string

func (m managed) open(id string) (*manager.Cluster, error) {
	c, err := manager.Open(string(m))
	if err != nil {
		return nil, err
	}
	if err := c.Expect(id); err != nil {
		return nil, fmt.Errorf("not the cluster under load: %w; name the directory of that one by --cluster", err)
	}
	return c, nil
}

func (m managed) leader(ctx context.Context, id string) (string, error) {
	c, err := m.open(id)
	if err != nil {
		return "", err
	}
	leader, err := c.Leader(ctx)
	return fmt.Sprint(leader), err
}

func (m managed) act(ctx context.Context, id, action, replica string) error {
	c, err := m.open(id)
	if err != nil {
		return err
	}
	number, err := manager.ReplicaID(replica)
	if err != nil {
		return err
	}
	return c.Act(ctx, action, number)
}

// check cannot tell yet whether it is the cluster under load.
func (m managed) check(events []Planned) error {
	c, err := manager.Open(string(m))
	if err != nil {
		return fmt.Errorf("events need the cluster under load: %w; or name its directory by --cluster, or what else knows it by --cluster-script", err)
	}
	for _, planned := range events {
		if err := c.Allows(planned.Action); err != nil {
			return fmt.Errorf("event '%v': %w", planned, err)
		}
	}
	return nil
}

// sees is true: the manager looks at the processes.
func (managed) sees() bool { return true }

// program knows the words of the manager. The id of the cluster is in its environment.
type program string

func (p program) leader(ctx context.Context, id string) (string, error) {
	out, err := p.call(ctx, id, eventLeader)
	return strings.TrimSpace(out), err
}

func (p program) act(ctx context.Context, id, action, replica string) error {
	_, err := p.call(ctx, id, action, replica)
	return err
}

// call calls the program and returns what it prints.
func (p program) call(ctx context.Context, id string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, string(p), args...)
	cmd.Env = append(os.Environ(), manager.EnvCluster+"="+id)
	out, err := cmd.Output()
	if err == nil {
		return string(out), nil
	}
	err = fmt.Errorf("%s %s: %w", p, strings.Join(args, " "), err)
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		said, _, _ := strings.Cut(strings.TrimSpace(string(exit.Stderr)), "\n")
		err = fmt.Errorf("%w: %s", err, said)
	}
	return "", err
}

func (p program) check([]Planned) error {
	if _, err := exec.LookPath(string(p)); err != nil {
		return fmt.Errorf("events need the program of --cluster-script: %w", err)
	}
	return nil
}

// sees is false: what a program does is only known by what is seen of it elsewhere.
func (program) sees() bool { return false }
