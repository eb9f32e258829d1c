// Package client makes the replicas of this project a system that can be measured: the loop of the client library is a target's.
package client

import (
	"fmt"

	"paxosbench/bench/target"
	"paxosbench/wire/client/loop"
	"paxosbench/wire/secure"
)

// System is a cluster of replicas, to be measured.
type System struct {
	Addrs []string // client addresses of the replicas
	TLS   string   // directory of the credentials by which this client proves itself; empty: nobody proves anything

	OwnProcess bool // the process is there for the load (see loop.Config)
}

// Name implements target.System.
func (System) Name() string { return "paxosbench" }

// Capabilities implements target.System.
func (System) Capabilities() target.Capabilities {
	return target.Capabilities{Get: true, Delete: true, CompareAndSet: true, Sessions: true, Status: true}
}

// Open implements target.System.
func (s System) Open(o target.Options, sink target.Sink) (target.Loop, error) {
	credentials, err := s.credentials()
	if err != nil {
		return nil, err
	}
	return loop.New(loop.Config{
		Addrs: s.Addrs, Credentials: credentials, Conns: o.Conns, Sessions: o.Sessions, Window: o.Window, SessionWindow: o.SessionWindow,
		StallTimeout: o.StallTimeout, ConnectTimeout: o.ConnectTimeout, Nonce: o.Nonce, Start: o.Start,
		OwnProcess: s.OwnProcess,
	}, sink)
}

// credentials reads what this client proves itself by, nil if it does not.
func (s System) credentials() (*secure.Credentials, error) {
	if s.TLS == "" {
		return nil, nil
	}
	credentials, err := secure.Load(s.TLS, nil)
	if err != nil {
		return nil, fmt.Errorf("--tls: %w", err)
	}
	if id := credentials.Identity(); id.Role != secure.Client {
		return nil, fmt.Errorf("--tls: %s holds the certificate of %v: give the directory with that of a client", s.TLS, id)
	}
	return credentials, nil
}
