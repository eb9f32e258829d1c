package bench

import (
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
}

// newSetup sorts settings by who acts on them.
func newSetup(settings suite.Cell) (*setup, error) {
	s := &setup{replicas: suite.DefaultReplicas}
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
	default:
		err = fmt.Errorf("BUG: a knob that nobody acts on")
	}
	return err
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
