package bench

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"paxosbench/bench/cluster"
	"paxosbench/bench/netem"
	"paxosbench/bench/suite"
)

// setup is what the settings of a cell come to: a cluster and a load.
type setup struct {
	replicas     int
	link         netem.Config
	replicaFlags []string
	loadFlags    []string
	tls          bool
	netem        bool // the load does something to the network between the replicas
	inFlight     bool // the load says how much is in flight altogether

	name       string          // of the system
	system     *cluster.System // nil: the replicas of this project
	durability string
}

// newSetup sorts settings by who acts on them.
func newSetup(settings suite.Cell) (*setup, error) {
	s := &setup{replicas: suite.DefaultReplicas, name: suite.OwnSystem, durability: settings.Effective("durability")}
	for _, setting := range settings {
		if err := s.add(setting); err != nil {
			return nil, fmt.Errorf("%s=%s: %w", setting.Knob, setting.Value, err)
		}
	}
	return s, nil
}

func (s *setup) add(setting suite.Setting) (err error) {
	flag := "--" + setting.Knob + "=" + setting.Value
	switch suite.OwnerOf(setting.Knob) {
	case suite.Replica:
		s.replicaFlags = append(s.replicaFlags, flag)
		return nil
	case suite.Load:
		s.addLoadFlag(setting, flag)
		return nil
	}
	switch setting.Knob {
	case suite.KnobReplicas:
		s.replicas, err = strconv.Atoi(setting.Value)
	case suite.KnobLinkDelay:
		s.link.Delay, err = time.ParseDuration(setting.Value)
	case suite.KnobLinkRate:
		s.link.Rate, err = suite.LinkRate(setting.Value)
	case suite.KnobTLS:
		s.tls, err = strconv.ParseBool(setting.Value)
	case suite.KnobVariant: // a name only
	case suite.KnobSystem:
		s.name = setting.Value
	case suite.KnobInFlight:
		s.loadFlags, s.inFlight = append(s.loadFlags, flag), true
	default:
		err = fmt.Errorf("BUG: a knob that nobody acts on")
	}
	return err
}

// find finds the system that is meant among those that can be measured beside the replicas of this project.
func (s *setup) find(others map[string]*cluster.System, canDivide bool) error {
	if s.inFlight && !canDivide {
		return fmt.Errorf("%s is for bin/peers, which measures several systems (docs/peers.md): say conns and %s", suite.KnobInFlight, suite.KnobWindow)
	}
	if s.name == suite.OwnSystem {
		return nil
	}
	if s.system = others[s.name]; s.system == nil {
		return fmt.Errorf("%s=%s: this program cannot measure it; see docs/peers.md", suite.KnobSystem, s.name)
	}
	for _, flag := range s.replicaFlags {
		if flag != "--durability="+s.durability {
			return fmt.Errorf("%s: %s has no such flag", flag, s.name)
		}
	}
	s.replicaFlags, s.replicas = nil, cmp.Or(s.system.Replicas, s.replicas)
	return nil
}

// othersTimeout is how long a system that is not ours may take to have a leader, or to end.
const othersTimeout = 30 * time.Second

func (s *setup) patience() time.Duration {
	if s.system == nil {
		return 0
	}
	return othersTimeout
}

// end ends the cluster. Replicas of ours are to end in an orderly way, or the run has failed. Of others nothing is wanted any more, and
// some take many seconds, as a leader does that hands over to members which end as well.
func (s *setup) end(ctx context.Context, c *cluster.Cluster) error {
	if s.system == nil {
		return c.Down(ctx)
	}
	return c.Abandon(ctx)
}

// addLoadFlag adds a flag of the load generator; the events of one run are separated by semicolons.
func (s *setup) addLoadFlag(setting suite.Setting, flag string) {
	if setting.Knob != "at" {
		s.loadFlags = append(s.loadFlags, flag)
		return
	}
	for event := range strings.SplitSeq(setting.Value, ";") {
		s.loadFlags = append(s.loadFlags, "--at="+strings.TrimSpace(event))
		s.netem = s.netem || slices.ContainsFunc(strings.Fields(event), cluster.NeedsNetem)
	}
}
