package systems

import (
	"regexp"
	"testing"

	"paxosbench/bench/peers/driver"
	"paxosbench/bench/peers/suites"
	"paxosbench/bench/suite"
	"paxosbench/wire"
)

// Every description is whole, and has a driver.
func TestSystems(t *testing.T) {
	all := All()
	if len(all) < 9 {
		t.Fatalf("only %d systems", len(all))
	}
	hello := string(wire.AppendClientHello(nil, wire.ClientHello{}))
	for name, s := range all {
		if s.Install == "" || len(s.Needs) == 0 || len(s.Durability) == 0 {
			t.Errorf("%s: it is not said what it needs, how to install that, or which durability it has", name)
		}
		if s.Driver == driver.Own {
			if string(s.Probe.Say) != hello {
				t.Errorf("%s: its probe is %x, and a client says %x", name, s.Probe.Say, hello)
			}
			understands(t, name, s.Probe.Leader, s.Probe.Follower)
			continue
		}
		if _, err := driver.For(s.Driver, []string{"127.0.0.1:1"}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// understands wants the expressions of a probe to tell leaders, followers and who knows no leader apart.
func understands(t *testing.T, name, leader, follower string) {
	t.Helper()
	for id := wire.ReplicaID(1); id <= 3; id++ {
		for leads := wire.ReplicaID(0); leads <= 3; leads++ {
			welcome := wire.Welcome{Ballot: 1 << 40, Window: 1 << 16, Replica: id, Leader: leads, LeaderAddr: "127.0.0.1:7001", Reads: wire.ReadsLog}
			if leads == 0 {
				welcome.LeaderAddr = ""
			}
			said := wire.AppendWelcome(nil, welcome)
			isLeader, isEither := regexp.MustCompile(leader).Match(said), regexp.MustCompile(follower).Match(said)
			if isLeader != (id == leads) || isEither != (leads != 0) {
				t.Errorf("%s: node %d, which follows %d, is a leader: %v, and plays a part: %v", name, id, leads, isLeader, isEither)
			}
		}
	}
}

// What a suite names is there, and has the durability that is asked for.
func TestSuites(t *testing.T) {
	all := All()
	for _, name := range []string{"peers", "peers-failover", "peers-faults", "peers-smoke"} {
		of, _, err := suites.Load(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if of.Name != name || len(of.Graphs) == 0 {
			t.Errorf("%s is called %s, and has %d graphs", name, of.Name, len(of.Graphs))
		}
		for _, cell := range of.Cells() {
			settings := of.Settings(cell)
			system := settings.Get(suite.KnobSystem)
			if system == suite.OwnSystem {
				continue
			}
			if all[system] == nil {
				t.Errorf("%s: there is no system %q", cell, system)
			} else if err := all[system].CheckDurability(settings.Get("durability")); err != nil {
				t.Errorf("%s: %v", cell, err)
			}
		}
	}
}
