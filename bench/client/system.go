package client

import "paxosbench/bench/target"

// System is a cluster of replicas, to be measured.
type System struct {
	Addrs []string // client addresses of the replicas
}

// Name implements target.System.
func (System) Name() string { return "paxosbench" }

// Capabilities implements target.System.
func (System) Capabilities() target.Capabilities {
	return target.Capabilities{Get: true, Delete: true, CompareAndSet: true, Sessions: true, Status: true}
}

// Open implements target.System.
func (s System) Open(o target.Options, sink target.Sink) (target.Loop, error) {
	return NewLoop(Config{
		Addrs: s.Addrs, Conns: o.Conns, Sessions: o.Sessions, Window: o.Window, SessionWindow: o.SessionWindow,
		StallTimeout: o.StallTimeout, ConnectTimeout: o.ConnectTimeout, Nonce: o.Nonce, Start: o.Start,
	}, sink)
}
