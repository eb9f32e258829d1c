package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"paxosbench/wire"
	"paxosbench/wire/secure"
)

// With credentials, a connection proves who it is before it is brought to the loop: see package secure. Handshakes have goroutines of
// their own.

// prove has who has connected prove who it is, and brings the connection to the loop.
func (a *acceptor) prove(ctx context.Context, nc net.Conn, e endpoint) {
	c := e.base()
	limited, cancel := context.WithTimeout(ctx, a.t.cfg.HandshakeTimeout)
	defer cancel()
	conn, id, err := a.t.cfg.Credentials.Server(limited, nc, a.allows, wire.AppendFault(nil, secure.BothOrNone))
	if err != nil {
		c.newcomer.leave()
		if ctx.Err() == nil {
			a.t.unproved(&c.origin, err)
		}
		return
	}
	c.origin.identity = id
	if a.places != nil {
		c.newcomer.leave()
		c.origin.host = id.String() // its share of the places is that of its identity, wherever it comes from
	}
	a.keep(ctx, conn, e)
}

// unproved counts a connection that has not proved who it is, and says so, but no more than once a second. One that closes without
// a word, as a health check does, is none.
func (t *Transport) unproved(o *origin, err error) {
	if errors.Is(err, io.EOF) {
		return
	}
	t.refused.Add(1)
	t.mu.Lock()
	said := time.Since(t.saidUnproved) < time.Second
	if !said {
		t.saidUnproved = time.Now()
	}
	t.mu.Unlock()
	if !said {
		t.log.Warn("connection refused: it has not proved who it is", "remote", o.remote, "error", err, "so_far", t.refused.Load())
	}
}

// bring hands a connection to the loop, which from then on encrypts and decrypts what passes over one that is secured.
func (t *Transport) bring(nc net.Conn, e endpoint) error {
	if conn, ok := nc.(*secure.Conn); ok {
		nc, e.base().records = conn.Part()
	}
	return t.visit(func() error { return t.enroll(nc, e) })
}

// clientsOnly and peersOnly say why an identity may not use a port.
func clientsOnly(id secure.Identity) error {
	if id.Role != secure.Client {
		return fmt.Errorf("the port for clients is not for %v: check the addresses", id)
	}
	return nil
}

func (t *Transport) peersOnly(id secure.Identity) error {
	if peer := replicaOf(id); peer == 0 || t.cfg.Peers[peer] == "" {
		return fmt.Errorf("%v is not a peer of replica %d", id, t.cfg.Self)
	}
	return nil
}

// replicaOf returns the replica that an identity is, 0 if it is none.
func replicaOf(id secure.Identity) wire.ReplicaID {
	n, err := strconv.ParseUint(id.Name, 10, 8)
	if id.Role != secure.Replica || err != nil {
		return 0
	}
	return wire.ReplicaID(n)
}

// secured proves this replica to a peer that it has dialled, and has that one prove itself.
func (t *Transport) secured(ctx context.Context, nc net.Conn, peer wire.ReplicaID) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, _, err := t.cfg.Credentials.Dialled(ctx, nc, func(id secure.Identity) error {
		if replicaOf(id) != peer {
			return fmt.Errorf("at the address of replica %d answers %v: check the peer addresses", peer, id)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("TLS with replica %d: %w", peer, err)
	}
	return conn, nil
}
