package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"paxosbench/bench/netem"
	"paxosbench/wire"
)

// action is something that can be done to a replica, by its word of the command line. It returns when its effect is seen.
type action struct {
	name  string
	netem bool // it needs the emulated network
	do    func(*Cluster, context.Context, wire.ReplicaID) error
}

var actions = []action{
	{"kill", false, (*Cluster).Kill},
	{"start", false, (*Cluster).Restart},
	{"stop", false, (*Cluster).Stop},
	{"cont", false, (*Cluster).Cont},
	{"isolate", true, cut(netem.Isolated)},
	{"deafen", true, cut(netem.Deaf)},
	{"mute", true, cut(netem.Mute)},
	{"heal", true, cut(netem.None)},
}

// Actions lists what Act can do.
func Actions() []string {
	names := make([]string, len(actions))
	for i, a := range actions {
		names[i] = a.name
	}
	return names
}

// actionOf finds an action by its name.
func actionOf(name string) (action, bool) {
	i := slices.IndexFunc(actions, func(a action) bool { return a.name == name })
	if i < 0 {
		return action{}, false
	}
	return actions[i], true
}

// NeedsNetem tells whether an action is one on the emulated network.
func NeedsNetem(name string) bool {
	a, _ := actionOf(name)
	return a.netem
}

// Act does something to a replica, and returns when its effect is seen.
func (c *Cluster) Act(ctx context.Context, name string, id wire.ReplicaID) error {
	a, ok := actionOf(name)
	if !ok {
		return fmt.Errorf("there is no action %q, want one of %s", name, strings.Join(Actions(), ", "))
	}
	return a.do(c, ctx, id)
}

// running returns a replica that must be running.
func (c *Cluster) running(s *State, id wire.ReplicaID) (*Member, error) {
	m, err := s.member(id)
	if err == nil && !m.Alive() {
		err = c.notRunning(id)
	}
	return m, err
}

func (c *Cluster) notRunning(id wire.ReplicaID) error {
	return refused("replica %d is not running; start it: %s", id, CommandLine(c.dir, fmt.Sprintf("start %d", id)))
}

// Kill ends a replica at once, as a crash would.
func (c *Cluster) Kill(ctx context.Context, id wire.ReplicaID) error {
	return c.update(ctx, func(s *State) error {
		m, err := c.running(s, id)
		if err != nil {
			return err
		}
		m.Down = true
		if err := s.write(c.dir); err != nil { // before anyone can see that it has ended
			return err
		}
		return m.Process.kill(ctx)
	})
}

// Stop stops a replica as SIGSTOP does: it hangs, its connections stay open.
func (c *Cluster) Stop(ctx context.Context, id wire.ReplicaID) error {
	return c.signal(ctx, id, syscall.SIGSTOP, (*Process).hung)
}

// Cont lets a stopped replica go on.
func (c *Cluster) Cont(ctx context.Context, id wire.ReplicaID) error {
	return c.signal(ctx, id, syscall.SIGCONT, func(p *Process) bool { return !p.hung() })
}

// signal signals a replica and waits for the effect.
func (c *Cluster) signal(ctx context.Context, id wire.ReplicaID, signal syscall.Signal, seen func(*Process) bool) error {
	return c.update(ctx, func(s *State) error {
		m, err := c.running(s, id)
		if err != nil {
			return err
		}
		if err := m.Process.signal(signal); errors.Is(err, errGone) {
			return c.notRunning(id)
		} else if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("replica %d shows no effect of %v", id, signal))
		defer cancel()
		return until(ctx, func() bool { return seen(m.Process) })
	})
}

// Restart starts a replica that was killed on the data it left, and waits until it has recovered.
func (c *Cluster) Restart(ctx context.Context, id wire.ReplicaID) error {
	return c.update(ctx, func(s *State) error {
		m, err := s.member(id)
		if err != nil {
			return err
		}
		if m.Alive() {
			return refused("replica %d is running; if it was stopped: %s", id, CommandLine(c.dir, fmt.Sprintf("cont %d", id)))
		}
		if err := errors.Join(c.launch(s, m), s.write(c.dir)); err != nil {
			return err
		}
		return c.await(ctx, func() error { return c.died(m) }, func(ctx context.Context) bool {
			status, err := c.look(ctx, m)
			return err == nil && !status.recovers()
		})
	})
}

// Allows tells whether an action can be done to the cluster at all.
func (c *Cluster) Allows(name string) error {
	s, err := c.State()
	if err == nil && NeedsNetem(name) && s.Network == nil {
		err = c.direct()
	}
	return err
}

// direct is the error of a replica that cannot be cut off.
func (c *Cluster) direct() error {
	return refused("the replicas reach each other directly, and cannot be cut off; start them with --netem: %s", CommandLine(c.dir, "up --netem"))
}

// cut makes an action of a fault of the network.
func cut(fault netem.Fault) func(*Cluster, context.Context, wire.ReplicaID) error {
	return func(c *Cluster, ctx context.Context, id wire.ReplicaID) error {
		s, err := c.State()
		if err != nil {
			return err
		}
		if _, err := s.member(id); err != nil {
			return err
		}
		if s.Network == nil {
			return c.direct()
		}
		faults, err := netem.SetFault(ctx, s.Network.Control, id, fault)
		if err == nil && faults[id] != fault {
			err = fmt.Errorf("replica %d is %q after all", id, faults[id])
		}
		return err
	}
}

// Down ends all replicas and the network, and waits for that. Data and logs stay. The error says which replicas did not
// end in an orderly way. Taking down what is down does nothing.
func (c *Cluster) Down(ctx context.Context) error { return c.down(ctx, (*Process).end) }

// Abandon takes down as Down does, but ends the replicas as crashes would: for who wants nothing more of them.
func (c *Cluster) Abandon(ctx context.Context) error {
	return c.down(ctx, func(p *Process, ctx context.Context, _ time.Duration) (bool, error) { return true, p.kill(ctx) })
}

// ending ends a process within a timeout, and tells whether that was orderly.
type ending func(*Process, context.Context, time.Duration) (orderly bool, err error)

func (c *Cluster) down(ctx context.Context, end ending) error {
	err := c.update(ctx, func(s *State) error {
		for i := range s.Members {
			s.Members[i].Down = true
		}
		return errors.Join(s.write(c.dir), c.endAll(ctx, s, end))
	})
	return errors.Join(err, c.release())
}

// endAll ends all processes of a cluster.
func (c *Cluster) endAll(ctx context.Context, s *State, end ending) error {
	errs := make([]error, len(s.Members), len(s.Members)+2)
	var all sync.WaitGroup
	for i, m := range s.Members {
		if m.Process == nil {
			continue
		}
		all.Go(func() {
			orderly, err := end(m.Process, ctx, c.timeout)
			if err == nil && !orderly {
				err = fmt.Errorf("replica %d did not end within %v of SIGTERM: killed", m.ID, c.timeout)
			}
			errs[i] = err
		})
	}
	all.Wait()
	if s.Network != nil && s.Network.Process != nil {
		_, err := s.Network.Process.end(ctx, c.timeout)
		errs = append(errs, err)
	}
	return errors.Join(append(errs, c.release())...)
}

// Close takes the cluster down and removes everything it has left.
func (c *Cluster) Close(ctx context.Context) error {
	return errors.Join(c.Down(ctx), c.remove(ctx))
}
