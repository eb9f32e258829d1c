package e2e

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"paxosbench/wire"
	"paxosbench/wire/secure"
)

// What a client with an identity of its own does to others when it means harm: with TLS, as everywhere beyond one host.

// It holds memory in every way there is, registers without end, and writes into the session of another whose id it knows. The victim waits
// for a second at most, nothing of the other session changes, and the memory stays within the sum.
func TestHostileIdentity(t *testing.T) {
	beside(t)
	c := newSecured(t, 3, scarcely("--reads", "lease")...)
	leader := c.ready()
	c.store(leader, "large", 1<<20)
	owner, err := c.speakAs(leader, c.credentials(loadIdentity))
	if err == nil {
		err = owner.register()
	}
	if err == nil {
		err = owner.put("its own", "value")
	}
	if err != nil {
		t.Fatal(err)
	}
	half := frameOf(wire.TypeRequest, wire.MaxBatch)
	half = half[:len(half)-1]
	var thefts atomic.Int64
	attacks := []func(ctx context.Context, h *hostile){
		func(_ context.Context, h *hostile) {
			if _, err := h.Write(half); err == nil {
				h.ended(time.Minute)
			}
		},
		func(ctx context.Context, h *hostile) { h.ask(ctx, false, 60) },
		func(ctx context.Context, h *hostile) { h.ask(ctx, true, 60) },
		func(ctx context.Context, h *hostile) { registers(ctx, &speaker{conn: h, next: 1}, nil) },
		func(ctx context.Context, h *hostile) { steals(ctx, t, &speaker{conn: h, next: 1}, owner, &thefts) },
	}
	var turn atomic.Int64
	c.unhurt(func(ctx context.Context) {
		swarm(ctx, crowdOf(200), func(ctx context.Context) {
			h := c.greeted(leader)
			if h == nil {
				return
			}
			defer h.abort()
			defer context.AfterFunc(ctx, h.abort)()
			attacks[int(turn.Add(1))%len(attacks)](ctx, h)
		})
	})
	if thefts.Load() == 0 {
		t.Error("nobody has tried to write into the session")
	}
	for owner.replica != wire.ReplicaID(c.leader()) {
		moved, err := c.speakAs(c.leader(), c.credentials(loadIdentity))
		if err != nil {
			t.Fatal(err)
		}
		owner.conn, owner.replica = moved.conn, moved.replica
	}
	got, err := owner.result(owner.run(wire.TypeRequest, owner.session, owner.next, wire.AppendCommand(nil, wire.OpGet, 0, []byte("its own"), nil)))
	if err != nil || string(got) != "value" {
		t.Errorf("the owner of the session reads %q, %v", got, err)
	}
}

// steals writes into the session of somebody else, under the numbers that come next, until the context ends.
func steals(ctx context.Context, t *testing.T, thief, from *speaker, thefts *atomic.Int64) {
	for seq := from.next; ctx.Err() == nil; seq++ {
		theft := wire.AppendCommand(nil, wire.OpPut, 0, []byte("its own"), []byte("stolen"))
		answer, err := thief.run(wire.TypeRequest, from.session, from.next+seq%3, theft)
		if err != nil {
			return // closed, or another replica leads
		}
		if answer.Status == wire.StatusOK {
			t.Error("a session took what another identity wrote")
			return
		}
		thefts.Add(1)
		time.Sleep(comesAgain)
	}
}

// One identity takes all places of the leader and keeps every connection busy, so that none is idle: others come in all the same, and as
// often as they like.
func TestPlacesOfOneIdentity(t *testing.T) {
	beside(t)
	const places = 100
	c := newSecured(t, 3, "--max-clients", fmt.Sprint(places), "--reads", "lease")
	leader := c.ready()
	var taken atomic.Int64
	crowd := func(ctx context.Context) {
		swarm(ctx, places+20, func(ctx context.Context) {
			time.Sleep(comesAgain)
			h := c.greeted(leader)
			if h == nil {
				return
			}
			defer h.abort()
			defer context.AfterFunc(ctx, h.abort)()
			taken.Add(1)
			defer taken.Add(-1)
			for s := (&speaker{conn: h, next: 1}); ctx.Err() == nil; time.Sleep(comesAgain) {
				if _, err := s.run(wire.TypeQuery, 1, s.next, wire.AppendCommand(nil, wire.OpGet, 0, []byte("key"), nil)); err != nil {
					return
				}
				s.next++
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		crowd(ctx)
	}()
	c.until("all places to be taken", func() bool { return taken.Load() >= places })
	for range 5 {
		came := time.Now()
		if _, err := c.speakAs(leader, c.credentials(loadIdentity)); err != nil {
			t.Fatalf("another identity does not come in: %v", err)
		}
		if waited := time.Since(came); *quietHost && waited > longestHold {
			t.Errorf("another identity waits %v for a place", waited)
		}
	}
	cancel()
	<-ended
	c.besiege(crowd).fromInside()
}

// The store is filled with the largest values, as fast as that goes, and the writers go on when it is full: who has values there reads and
// replaces them, and nobody waits for long.
func TestStoreFilledBesideALoad(t *testing.T) {
	beside(t)
	const limit = 128 << 20
	c := newSecured(t, 3, scarcely("--store-limit", fmt.Sprint(limit))...)
	leader := c.ready()
	value := make([]byte, wire.MaxValue)
	var refused, written, turn atomic.Int64
	full := func() bool { return refused.Load() > 0 }
	s := c.besiegeUntil(full, func(ctx context.Context) {
		swarm(ctx, 8, func(ctx context.Context) {
			s, err := c.speak(leader)
			if err != nil || s.register() != nil {
				return
			}
			defer s.conn.abort()
			defer context.AfterFunc(ctx, s.conn.abort)()
			for ctx.Err() == nil {
				put := wire.AppendCommand(nil, wire.OpPut, 0, fmt.Append(nil, "value", turn.Add(1)), value)
				answer, err := s.run(wire.TypeRequest, s.session, s.next, put)
				switch {
				case err != nil:
					return
				case answer.Status == wire.StatusOK:
					written.Add(1)
				case answer.Status == wire.StatusFull:
					refused.Add(1)
				default:
					continue // BUSY
				}
				s.next++
			}
		})
	})
	s.fromInside()
	s.within(scarce + sealed + 2*limit)
	if written.Load() > limit/wire.MaxValue {
		t.Errorf("%d values of a MiB written, the limit is %d MiB", written.Load(), limit>>20)
	}
}

// store writes a key with a value of so many bytes.
func (c *cluster) store(leader int, key string, size int) {
	c.t.Helper()
	s := c.mustSpeak(leader)
	if err := s.put(key, string(make([]byte, size))); err != nil {
		c.t.Fatal(err)
	}
}

// manyIdentities returns the directories of the credentials of so many clients.
func (c *cluster) manyIdentities(n int) (dirs []string) {
	c.t.Helper()
	for i := range n {
		id := secure.Identity{Role: secure.Client, Name: fmt.Sprint("one-of-many-", i)}
		if err := c.trial.Issue(id, c.credentials(id)); err != nil {
			c.t.Fatal(err)
		}
		dirs = append(dirs, c.credentials(id))
	}
	return dirs
}
