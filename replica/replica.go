// Package replica runs one replica of a Multi-Paxos cluster as a process does: on an event loop, with a journal on
// disk, for clients on the network.
//
//	config.go    what can be set
//	default.go   what is set if nothing else is said
//	validate.go  what cannot be set
//	agreement.go what must be equal on all replicas
//	replica.go   opening, running and closing
//	loop.go      the owner of everything: connections on one side, the node on the other
//	threads.go   where the storage's slow work is done
//	repair.go    what is done if the data is damaged
//	admin.go     /status, /metrics and /debug/pprof/
//
// The replica itself, without its surroundings, is package node; what it keeps on disk is package storage.
package replica

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"

	"golang.org/x/sync/errgroup"
)

// Run opens the replica, serves until ctx is done, and closes it. It returns nil after an orderly end; any error is
// final, and what it returns says what to do about it.
func Run(ctx context.Context, cfg Config, log *slog.Logger) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	if cfg.Durability == 0 && !cfg.Unreplicated {
		log.Warn("durability none: a restarted replica has forgotten its votes and rejoins as a learner; a restarted majority has lost data")
	}
	l, err := openOrRepair(&cfg, log, rand.Uint64())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.stop = cancel
	group, ctx := errgroup.WithContext(ctx)
	if cfg.Admin != "" {
		listener, err := net.Listen("tcp", cfg.Admin)
		if err != nil {
			return errors.Join(fmt.Errorf("admin address %s: %w", cfg.Admin, err), l.storage.Close())
		}
		group.Go(func() error { return serveAdmin(ctx, listener, l) })
	}
	group.Go(func() error { return l.transport.Run(ctx) })
	err = group.Wait()
	return errors.Join(l.failure(), err, l.storage.Close())
}
