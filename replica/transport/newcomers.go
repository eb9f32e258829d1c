package transport

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"
)

// newcomers are the connections of a listener that have not yet shown who they are. Anyone can have one, so they have few
// places, and none of them keeps its own for long: who comes when all are taken has one of the others dropped, drawn at
// random among those of the address that has most. One that shows itself at once is hardly ever drawn, whatever the rate at
// which others come; the oldest would be hit by any flood that is fast enough. It may be used from any goroutine.
type newcomers struct {
	room  chan struct{}
	grace time.Duration // how long one waits for a place before another one is dropped for it

	mu    sync.Mutex
	list  []*newcomer
	hosts map[string]int // how many there are of each address
}

// newcomer is one of them.
type newcomer struct {
	of    *newcomers
	host  string
	drop  func() // ends the connection; leave follows. Any goroutine may call it
	index int    // in the list, -1: has left
}

// dropTakes is how long a place takes to become free, most of the time at most: then another one is dropped.
const dropTakes = 2 * time.Millisecond

func newNewcomers(places int, grace time.Duration) *newcomers {
	return &newcomers{room: make(chan struct{}, places), grace: grace, hosts: make(map[string]int)}
}

// enter gives a connection a place. It returns nil if ctx has ended.
func (n *newcomers) enter(ctx context.Context, host string, drop func()) *newcomer {
	for wait := n.grace; ctx.Err() == nil; wait = dropTakes {
		select {
		case n.room <- struct{}{}:
			return n.add(host, drop)
		default:
		}
		select {
		case n.room <- struct{}{}:
			return n.add(host, drop)
		case <-ctx.Done():
		case <-time.After(wait):
			n.dropOne()
		}
	}
	return nil
}

func (n *newcomers) add(host string, drop func()) *newcomer {
	n.mu.Lock()
	defer n.mu.Unlock()
	one := &newcomer{of: n, host: host, drop: drop, index: len(n.list)}
	n.list = append(n.list, one)
	n.hosts[host]++
	return one
}

// dropOne drops one of those whose address has most.
func (n *newcomers) dropOne() {
	n.mu.Lock()
	most, count := "", 0
	for host, of := range n.hosts {
		if of > count {
			most, count = host, of
		}
	}
	var drawn *newcomer
	seen := 0
	for _, one := range n.list {
		if one.host == most {
			if seen++; rand.IntN(seen) == 0 {
				drawn = one
			}
		}
	}
	n.mu.Unlock()
	if drawn != nil {
		drawn.drop()
	}
}

// leave gives the place back: the connection has ended, or has shown who it is. Leaving twice, or as nil, does nothing.
func (one *newcomer) leave() {
	if one == nil {
		return
	}
	n := one.of
	n.mu.Lock()
	defer n.mu.Unlock()
	if one.index < 0 {
		return
	}
	last := len(n.list) - 1
	n.list[one.index] = n.list[last]
	n.list[one.index].index = one.index
	n.list[last] = nil
	n.list = n.list[:last]
	one.index = -1
	if n.hosts[one.host]--; n.hosts[one.host] == 0 {
		delete(n.hosts, one.host)
	}
	<-n.room
}

// hostOf returns what counts as one address: an IPv4 address, or an IPv6 network of 64 bits, in which anyone has as many
// addresses as they like.
func hostOf(addr net.Addr) string {
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return addr.String()
	}
	ip := ap.Addr().Unmap()
	if !ip.Is6() {
		return ip.String()
	}
	network, _ := ip.WithZone("").Prefix(64) // an IPv6 address has that many bits
	return network.String()
}
