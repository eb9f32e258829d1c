package target_test

import (
	"context"
	"fmt"

	"paxosbench/bench/target"
)

// counters is a system in this very process: it has puts and gets, and answers at once.
type counters map[string]string

func (counters) Capabilities() target.Capabilities { return target.Capabilities{Get: true} }

func (c counters) Connect(context.Context) (target.Conn, error) { return connection{c}, nil }

type connection struct{ counters }

// Submit carries out a batch. It may complete calls itself, or leave that to any goroutine.
func (c connection) Submit(calls []*target.Call) error {
	for _, call := range calls {
		value, there := c.counters[string(call.Key)]
		switch {
		case call.Op == target.Put:
			c.counters[string(call.Key)] = string(call.Value)
			call.Complete(target.OK, nil)
		case there:
			call.Complete(target.OK, []byte(value))
		default:
			call.Complete(target.NotFound, nil)
		}
	}
	return nil
}

func (connection) Close() error { return nil }

// A driver becomes a system, which load.Run measures: see the example there, and docs/targets.md for one with a network.
func ExampleOf() {
	system := target.Of("a map", make(counters))
	fmt.Println(system.Name(), "has gets:", system.Capabilities().Get, "and sessions:", system.Capabilities().Sessions)
	// Output: a map has gets: true and sessions: false
}

// watched are counters that also tell how they are.
type watched struct{ counters }

// Observe looks at every node, here the only one.
func (w watched) Observe(context.Context) ([]target.Observation, error) {
	return []target.Observation{{
		Node: "here", Role: target.RoleUnreplicated, Applied: uint64(len(w.counters)),
		Version: "1.0", Config: map[string]string{"durability": "none"},
	}}, nil
}

// A driver that is an Observer makes a system whose nodes are looked at: results have what it tells of them.
func ExampleObserver() {
	system := target.Of("a map", watched{make(counters)})
	nodes, err := system.(target.Observer).Observe(context.Background())
	fmt.Println(system.Capabilities().Status, nodes[0].Role, nodes[0].Version, err)
	// Output: true unreplicated 1.0 <nil>
}
