package systems

import (
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
			continue
		}
		if _, err := driver.For(s.Driver, []string{"127.0.0.1:1"}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a suite names is there, and has the durability that is asked for.
func TestSuites(t *testing.T) {
	all := All()
	for _, name := range []string{"peers", "peers-failover", "peers-smoke"} {
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
