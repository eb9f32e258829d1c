package netem

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"paxosbench/wire"
)

// Fault says how a replica is cut off from the others.
type Fault string

// Faults. What a replica says or hears is held up, not lost: it arrives when the fault ends.
const (
	None     Fault = ""
	Isolated Fault = "isolated" // it neither says nor hears anything
	Deaf     Fault = "deaf"     // it hears nothing
	Mute     Fault = "mute"     // it says nothing
)

var faults = []Fault{None, Isolated, Deaf, Mute}

func (f Fault) hears() bool { return f == None || f == Mute }
func (f Fault) says() bool  { return f == None || f == Deaf }

// Network is the links between the replicas of a cluster: a proxy for each pair and direction of dialling, whoever of the
// two dials. Its methods may be called from several goroutines.
type Network struct {
	proxies map[pair]*Proxy

	mu     sync.Mutex
	faults map[wire.ReplicaID]Fault
}

type pair struct{ from, to wire.ReplicaID }

// NewNetwork starts the links between replicas that listen for their peers at the given addresses.
func NewNetwork(peers map[wire.ReplicaID]string, config Config) (*Network, error) {
	return NewNetworkOf(peers, func(_, _ wire.ReplicaID) Config { return config })
}

// NewNetworkOf is NewNetwork with a configuration for each link.
func NewNetworkOf(peers map[wire.ReplicaID]string, config func(from, to wire.ReplicaID) Config) (*Network, error) {
	n := &Network{proxies: make(map[pair]*Proxy), faults: make(map[wire.ReplicaID]Fault)}
	for from := range peers {
		n.faults[from] = None
		for to, addr := range peers {
			if from == to {
				continue
			}
			proxy, err := Listen(addr, config(from, to))
			if err != nil {
				return nil, errors.Join(err, n.Close())
			}
			n.proxies[pair{from, to}] = proxy
		}
	}
	return n, nil
}

// Addr returns where a replica finds another one.
func (n *Network) Addr(from, to wire.ReplicaID) string { return n.proxies[pair{from, to}].Addr() }

// Set gives a replica a fault instead of the one it has; None heals it.
func (n *Network) Set(id wire.ReplicaID, fault Fault) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.faults[id]; !ok {
		return fmt.Errorf("there is no replica %d, but %v", id, slices.Sorted(maps.Keys(n.faults)))
	}
	if !slices.Contains(faults, fault) {
		return fmt.Errorf("fault %q: want one of %s", fault, strings.Trim(fmt.Sprintf("%q", faults), "[]"))
	}
	n.faults[id] = fault
	n.hold(func(from, to wire.ReplicaID) bool { return !n.faults[from].says() || !n.faults[to].hears() })
	return nil
}

// Faults returns the faults that replicas have.
func (n *Network) Faults() map[wire.ReplicaID]Fault {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.faults)
}

// Hold holds up what the chosen replicas say to each other, and lets go everything else.
func (n *Network) Hold(chosen func(from, to wire.ReplicaID) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hold(chosen)
}

func (n *Network) hold(chosen func(from, to wire.ReplicaID) bool) {
	for p, proxy := range n.proxies {
		proxy.Ahead.Hold(chosen(p.from, p.to))
		proxy.Back.Hold(chosen(p.to, p.from))
	}
}

// Damage flips a bit on every link in both directions.
func (n *Network) Damage() {
	for _, proxy := range n.proxies {
		proxy.Ahead.Damage()
		proxy.Back.Damage()
	}
}

// Close ends all links. What is under way is lost.
func (n *Network) Close() error {
	var errs []error
	for _, proxy := range n.proxies {
		errs = append(errs, proxy.Close())
	}
	return errors.Join(errs...)
}
