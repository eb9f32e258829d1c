// Package replica runs one replica of a Multi-Paxos cluster as a process does: on an event loop, with a journal on
// disk, for clients on the network.
//
//	config.go     what can be set
//	default.go    what is set if nothing else is said
//	validate.go   what cannot be set
//	agreement.go  what must be equal on all replicas
//	replica.go    opening, running and closing
//	membership.go what it remembers of its cluster
//	files.go      what it may have open at a time
//	loop.go       the owner of everything: connections on one side, the node on the other
//	threads.go    where the storage's slow work is done
//	repair.go     what is done if the data is damaged
//	progress.go   how far a recovery has come
//	alarm.go      when a batch has lingered long enough
//	leaderless.go why there is no leader
//	status.go     what a replica says about itself
//	metrics.go    the same for Prometheus
//	admin.go      where that is served, and /debug/pprof/
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
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"paxosbench/wire/secure"
)

// Replica is one replica that runs, or has run. Its methods may be called from any goroutine.
type Replica struct {
	cfg      *Config
	log      *slog.Logger
	cancel   context.CancelFunc
	files    descriptors
	proof    *secure.Credentials // nil: whoever connects is believed
	admin    net.Listener        // nil: none
	progress *progress

	loop  atomic.Pointer[loop] // nil: it recovers
	ready chan struct{}        // closed when it is ready for the first time

	done chan struct{} // closed when it has ended
	err  error         // why; valid then
}

// Start starts a replica, which runs until ctx is done, Close is called, or something fails for good. It returns an error
// if the configuration is not valid or the admin address cannot be had. All else takes its time, recovery most of all, and
// shows in Status, Ready and Wait. A nil log discards everything.
func Start(ctx context.Context, cfg Config, log *slog.Logger) (*Replica, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	cfg.Members = slices.Clone(cfg.Members)
	cfg.Memory = Bytes(cfg.memory())
	files, err := cfg.reserve()
	if err != nil {
		return nil, err
	}
	if files.forwarded < cfg.MaxClients && cfg.Forward {
		log.Info("not all clients can be handed on to the leader at a time: the limit of open files", "places", files.forwarded, "clients", cfg.MaxClients)
	}
	proof, err := cfg.credentials(log)
	if err != nil {
		return nil, err
	}
	if exposed := cfg.exposedAt(); len(exposed) > 0 {
		log.Warn("listening without TLS where others than this host may connect: whoever does owns the cluster (insecure-listen)", "addrs", exposed)
	}
	r := &Replica{cfg: &cfg, log: log, files: files, proof: proof, ready: make(chan struct{}), done: make(chan struct{})}
	if cfg.Admin != "" {
		if r.admin, err = net.Listen("tcp", cfg.Admin); err != nil {
			return nil, fmt.Errorf("admin address %s: %w", cfg.Admin, err)
		}
	}
	ctx, r.cancel = context.WithCancel(ctx)
	r.progress = newProgress(ctx, cfg.Data)
	go r.run(ctx)
	return r, nil
}

// credentials reads what the replica proves itself by, nil if it does not.
func (c *Config) credentials(log *slog.Logger) (*secure.Credentials, error) {
	if c.TLS == "" {
		return nil, nil
	}
	credentials, err := secure.Load(c.TLS, func(err error) { log.Warn(err.Error()) })
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	if id := credentials.Identity(); id != secure.ReplicaIdentity(int(c.ID)) {
		return nil, fmt.Errorf("tls: %s holds the certificate of %v, and this is replica %d: give the directory with that of %v", c.TLS, id, c.ID,
			secure.ReplicaIdentity(int(c.ID)))
	}
	return credentials, nil
}

// Run starts a replica, waits until it has ended, and returns what Wait does.
func Run(ctx context.Context, cfg Config, log *slog.Logger) error {
	r, err := Start(ctx, cfg, log)
	if err != nil {
		return err
	}
	return r.Wait()
}

// Wait waits until the replica has ended. It returns nil after an orderly end; any error is final, and says what to do
// about it.
func (r *Replica) Wait() error {
	<-r.done
	return r.err
}

// Close ends the replica, waits for that, and returns what Wait does. Closing what has ended does nothing.
func (r *Replica) Close() error {
	r.cancel()
	return r.Wait()
}

// Ready waits until the replica has recovered, votes, and knows a leader, itself or another, which it may lose again. It
// returns an error if ctx is done before, or the replica has ended.
func (r *Replica) Ready(ctx context.Context) error {
	select {
	case <-r.ready:
	case <-r.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-r.done:
		return errors.Join(errors.New("the replica has ended"), r.err)
	default:
		return nil
	}
}

// Addr returns the address where clients are served, nil before. It differs from the configured one if that leaves the
// port to the system.
func (r *Replica) Addr() net.Addr {
	l := r.loop.Load()
	if l == nil {
		return nil
	}
	client, _ := l.transport.Addrs()
	return client
}

// AdminAddr returns the address of the admin server, nil if there is none.
func (r *Replica) AdminAddr() net.Addr {
	if r.admin == nil {
		return nil
	}
	return r.admin.Addr()
}

// run runs the replica to its end.
func (r *Replica) run(ctx context.Context) {
	group, ctx := errgroup.WithContext(ctx)
	if r.admin != nil {
		group.Go(func() error { return r.serveAdmin(ctx) })
	}
	group.Go(func() error {
		defer r.cancel()
		return r.serve(ctx)
	})
	r.err = group.Wait()
	close(r.done)
}

// serve recovers and serves until ctx is done.
func (r *Replica) serve(ctx context.Context) error {
	if r.cfg.Durability == 0 && !r.cfg.Unreplicated {
		r.log.Warn("durability none: a restarted replica has forgotten its votes and rejoins as a learner; a restarted majority has lost data")
	}
	l, err := r.recover()
	if err != nil {
		if ctx.Err() != nil {
			return nil // ended while it recovered, which changes nothing
		}
		return err
	}
	release, err := l.startAlarm()
	if err != nil {
		return errors.Join(err, l.storage.Close())
	}
	defer release()
	if !r.cfg.Unreplicated {
		l.node.Core().Begin(l.transport.ReadClock())
	}
	r.loop.Store(l)
	err = l.transport.Run(ctx)
	if l.failure() == nil {
		l.node.Stop()
	}
	return errors.Join(l.failure(), err, l.recordDivergence(), l.storage.Close())
}

// recover opens the replica and says how far that has come meanwhile.
func (r *Replica) recover() (*loop, error) {
	opened := make(chan struct{})
	defer close(opened)
	defer r.progress.finish()
	go r.progress.log(r.log, opened)
	return openOrRepair(r, rand.Uint64())
}
