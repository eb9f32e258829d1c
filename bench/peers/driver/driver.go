// Package driver reaches systems that are not this project's through the clients that their makers, or those who use them,
// maintain. Each driver is of use with nothing but what bench/target asks for.
package driver

import (
	"fmt"
	"slices"
	"strings"

	"paxosbench/bench/target"
)

// drivers are what a system's description can name as its driver, made for the addresses of its processes.
var drivers = map[string]func(addrs []string) target.Driver{
	"etcd":      func(addrs []string) target.Driver { return etcd{addrs} },
	"zookeeper": func(addrs []string) target.Driver { return zookeeper{addrs} },
	"redis":     func(addrs []string) target.Driver { return redisServer{addrs[0]} },
}

// Own is the driver of systems that speak the protocol of this project's replicas.
const Own = "own"

// For returns the driver of a name for the processes at some addresses.
func For(name string, addrs []string) (target.Driver, error) {
	make, ok := drivers[name]
	if !ok {
		var names []string
		for known := range drivers {
			names = append(names, known)
		}
		slices.Sort(names)
		return nil, fmt.Errorf("no driver is called %q; there are %s, and %s for what speaks the protocol of the replicas", name, strings.Join(names, ", "), Own)
	}
	return make(addrs), nil
}
