//go:build linux

package main

import (
	"errors"
	"slices"

	"paxosbench/bench/cluster"
)

// addresses are those of replicas, on a command line that gives some.
type addresses []string

// AfterApply refuses an empty list: who gives a variable that is not set does not mean what holds without the flag. The parser
// calls it where the flag is given.
func (a addresses) AfterApply() error {
	if len(a) == 0 {
		return errors.New("an empty list of addresses: give some, or leave the flag out")
	}
	return nil
}

// find returns the addresses: those given, or those of the cluster that is meant.
func (f *clusterFlags) find() (a cluster.Addrs, err error) {
	if len(f.Addrs) == 0 {
		a, err = cluster.FindAddrs(f.Cluster)
	} else if a.Client, err = cluster.Tidy(f.Addrs); err == nil {
		a.Admin, err = cluster.AdminOf(a.Client)
	}
	if len(f.Admin) > 0 && err == nil {
		a.Admin, err = cluster.Tidy(slices.DeleteFunc(slices.Clone(f.Admin), func(addr string) bool { return addr == "none" }))
	}
	return a, err
}
