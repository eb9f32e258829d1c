package client

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"time"

	"paxosbench/wire"
	"paxosbench/wire/client/loop"
	"paxosbench/wire/secure"
)

// Config says which cluster a client uses, and how. Only Addrs is needed.
type Config struct {
	// Addrs are the client addresses of the replicas, as host:port. Which of them leads is found out. A name that has several addresses
	// stands for all of them.
	Addrs []string
	// Credentials have the replicas prove who they are, and prove this client to them (secure.Load reads them); nil: nobody proves anything.
	Credentials *secure.Credentials
	// Cluster is the id of the cluster to insist on; 0 accepts any.
	Cluster uint64
	// MaxBytes bounds what is submitted and has no outcome yet, in bytes: a command counts for its key, its values and 128 bytes. Beyond
	// it submitting waits. Default 16 MiB, at least 2 MiB.
	MaxBytes int
	// ConnectTimeout and StallTimeout bound attempts to connect, and how long the leader may be silent with commands under way before
	// another one is looked for. Defaults 200 ms and 500 ms; loop.Config has the details.
	ConnectTimeout, StallTimeout time.Duration
}

const (
	defaultMaxBytes = 16 << 20
	leastMaxBytes   = 2 << 20

	// callBytes is what a command costs beside its key and its values.
	callBytes = 128
)

// The largest command must be let in.
const _ uint = leastMaxBytes - (callBytes + wire.MaxCommand)

// setDefaults fills in what is left open.
func (c *Config) setDefaults() error {
	if c.MaxBytes == 0 {
		c.MaxBytes = defaultMaxBytes
	}
	if c.MaxBytes < leastMaxBytes {
		return fmt.Errorf("MaxBytes of %d: want at least %d, so that the largest command fits", c.MaxBytes, leastMaxBytes)
	}
	return nil
}

// loopConfig is that of one session on one connection. Names are looked up until ctx ends.
func (c *Config) loopConfig(ctx context.Context) (loop.Config, error) {
	var nonce [8]byte
	rand.Read(nonce[:])
	cfg := loop.Config{
		Conns: 1, Sessions: 1, Cluster: c.Cluster, Credentials: c.Credentials,
		ConnectTimeout: c.ConnectTimeout, StallTimeout: c.StallTimeout, Nonce: binary.LittleEndian.Uint64(nonce[:]),
	}
	for _, addr := range c.Addrs {
		found, err := lookUp(ctx, addr)
		if err != nil {
			return cfg, fmt.Errorf("address %q: %w", addr, err)
		}
		cfg.Addrs = append(cfg.Addrs, found...)
	}
	return cfg, nil
}

// lookUp returns every address that an address with a name stands for.
func lookUp(ctx context.Context, addr string) (found []string, err error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	for _, ip := range ips {
		found = append(found, net.JoinHostPort(ip.Unmap().String(), port))
	}
	return found, err
}
