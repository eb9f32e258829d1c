package e2e

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"paxosbench/wire"
)

// What follows holds memory, or tries to: frames that never end, answers that nobody reads. Each attack goes on beside a victim's
// load, and the replicas keep to the sum that docs/architecture.md states, and give back what they took.

// scarce is the least that --memory may be.
const scarce = 256 << 20

// scarcely returns the flags of a cluster with little memory; what is on top of that is little as well.
func scarcely(flags ...string) []string {
	return append([]string{"--memory", fmt.Sprint(scarce), "--log-bytes", "8MiB", "--pipeline-bytes", "4MiB", "--durability", "none", "--election-timeout", "2s"}, flags...)
}

// crowdOf returns how many attackers there are: fewer where a host has other things to do.
func crowdOf(many int) int {
	if *quietHost {
		return many
	}
	return many / 4
}

// sealed is what TLS costs on top of --memory, as docs/architecture.md has it, for as many connections as the tests have.
const sealed = 3<<20 + 200*25<<10

// unhurt besieges the cluster and checks that nobody waits for long, and that memory stays within the sum, and comes back.
func (c *cluster) unhurt(attack func(ctx context.Context)) {
	c.t.Helper()
	leader := c.leader()
	s := c.besiege(attack)
	s.fromInside()
	if c.tls {
		s.within(scarce + sealed)
	} else {
		s.within(scarce)
	}
	c.until("memory that is given back", func() bool { return c.resident(leader) < s.before[leader]+scarce/2 })
	c.t.Logf("the leader's memory afterwards: %d MiB", c.resident(leader)>>20)
}

// greeted returns a connection to a replica that has been welcomed, nil if there is none to be had.
func (c *cluster) greeted(id int) *hostile {
	h, err := c.entered(id)
	if err != nil {
		time.Sleep(10 * time.Millisecond) // the backlog is full
		return nil
	}
	_ = h.SetDeadline(time.Now().Add(time.Minute))
	if _, err = h.Write(wire.AppendClientHello(nil, wire.ClientHello{})); err == nil {
		_, _, err = h.hear()
	}
	if err != nil {
		h.abort()
		return nil
	}
	return h
}

// frameOf returns a frame of a client with a body that means nothing.
func frameOf(t wire.Type, size int) []byte {
	frame := append(wire.BeginFrame(nil), make([]byte, size)...)
	wire.EndFrame(frame, 0, t)
	return frame
}

// Frames that lack their end, from hundreds of clients that come again as soon as they are closed.
func TestHalfFrames(t *testing.T) {
	beside(t)
	whole := frameOf(wire.TypeRequest, wire.MaxBatch)
	for name, send := range map[string]func(ctx context.Context, h *hostile){
		"all but a byte": func(_ context.Context, h *hostile) {
			if _, err := h.Write(whole[:len(whole)-1]); err == nil {
				h.ended(time.Minute)
			}
		},
		"trickle": func(ctx context.Context, h *hostile) {
			_, err := h.Write(whole[:3<<20])
			for at := 3 << 20; err == nil && ctx.Err() == nil; at++ {
				time.Sleep(20 * time.Millisecond)
				_, err = h.Write(whole[at : at+1])
			}
		},
		"a header": func(_ context.Context, h *hostile) {
			if _, err := h.Write(whole[:wire.PrefixSize+1]); err == nil {
				h.ended(time.Minute)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			beside(t)
			c := newCluster(t, 3, scarcely()...)
			leader := c.ready()
			c.unhurt(func(ctx context.Context) {
				swarm(ctx, crowdOf(600), func(ctx context.Context) {
					if h := c.greeted(leader); h != nil {
						defer h.abort()
						defer context.AfterFunc(ctx, h.abort)()
						send(ctx, h)
					}
				})
			})
		})
	}
}

// The same at the port for peers, where nobody has said yet who he is.
func TestHalfFramesFromStrangers(t *testing.T) {
	beside(t)
	c := newCluster(t, 3, scarcely()...)
	leader := c.ready()
	hello := frameOf(wire.TypeAccept, 16)
	c.unhurt(func(ctx context.Context) {
		swarm(ctx, crowdOf(150), func(ctx context.Context) {
			c.knock(ctx, c.members[leader-1].peer, wire.AppendPeerHello(nil, &wire.PeerHello{From: 3, To: 1})[:40])
			c.knock(ctx, c.members[leader-1].peer, hello[:20])
		})
	})
}

// asking returns a frame of gets of one key.
func asking(t wire.Type, session wire.SessionID, first wire.Seq, key string, gets int) []byte {
	frame := wire.BeginFrame(nil)
	frame = wire.AppendRunHeader(frame, session, first, first-1, gets, gets*(wire.CommandHeaderSize+len(key)))
	for range gets {
		frame = wire.AppendCommand(frame, wire.OpGet, 0, []byte(key), nil)
	}
	wire.EndFrame(frame, 0, t)
	return frame
}

// Small requests for large answers, and for many small ones, that nobody reads, or hardly: by query and through the log, to the
// leader and handed on by a follower.
func TestUnreadAnswers(t *testing.T) {
	beside(t)
	for _, tt := range []struct {
		name    string
		reads   string
		forward bool
		secured bool
		value   int
		gets    int           // in a frame
		reading time.Duration // between two bytes that are read; 0: none is, greedily: as fast as it can
	}{
		{name: "large, by index", reads: "index", value: 1 << 20, gets: 60},
		{name: "large, by lease", reads: "lease", value: 1 << 20, gets: 60},
		{name: "large, through the log", reads: "log", value: 1 << 20, gets: 60},
		{name: "large, through the log, a byte a second", reads: "log", value: 1 << 20, gets: 60, reading: time.Second},
		{name: "middling, through the log", reads: "log", value: 100 << 10, gets: 600},
		{name: "large, a byte a second", reads: "lease", value: 1 << 20, gets: 60, reading: time.Second},
		{name: "small", reads: "lease", value: 10, gets: 1000},
		{name: "handed on", reads: "lease", forward: true, value: 1 << 20, gets: 60},
		{name: "secured, by lease", reads: "lease", secured: true, value: 1 << 20, gets: 60},
		{name: "secured, through the log, a byte a second", reads: "log", secured: true, value: 1 << 20, gets: 60, reading: time.Second},
		{name: "read at once, by lease", reads: "lease", value: 1 << 20, gets: 60, reading: greedily},
		{name: "read at once, through the log", reads: "log", value: 1 << 20, gets: 60, reading: greedily},
	} {
		t.Run(tt.name, func(t *testing.T) {
			beside(t)
			flags := scarcely("--reads", tt.reads)
			if tt.forward {
				flags = append(flags, "--forward")
			}
			begin := newCluster
			if tt.secured {
				begin = newSecured
			}
			c := begin(t, 3, flags...)
			leader := c.ready()
			target := leader
			if tt.forward {
				target = leader%3 + 1
				c.until("a follower that hears the leader", func() bool { return c.mustStatus(target).Leader == leader })
			}
			s, err := c.speak(leader)
			if err == nil {
				err = s.register()
			}
			if err == nil {
				err = s.put("large", strings.Repeat("v", tt.value))
			}
			if err != nil {
				t.Fatal(err)
			}
			c.unhurt(func(ctx context.Context) {
				swarm(ctx, crowdOf(200), func(ctx context.Context) {
					h := c.greeted(target)
					if h == nil {
						return
					}
					defer h.abort()
					defer context.AfterFunc(ctx, h.abort)()
					go h.sip(ctx, tt.reading)
					h.ask(ctx, tt.reads == "log", tt.gets)
				})
			})
		})
	}
}

// ask sends frames of gets until that fails, as queries or through the log.
func (h *hostile) ask(ctx context.Context, log bool, gets int) {
	t, session := wire.TypeQuery, wire.SessionID(1)
	if log {
		s := &speaker{conn: h, next: 1}
		if s.register() != nil {
			return
		}
		t, session = wire.TypeRequest, s.session
	}
	for first := wire.Seq(1); ctx.Err() == nil; first += wire.Seq(gets) {
		if _, err := h.Write(asking(t, session, first, "large", gets)); err != nil {
			return
		}
	}
}

// greedily has sip read all there is.
const greedily = -1

// sip reads a byte now and then, or all there is.
func (h *hostile) sip(ctx context.Context, every time.Duration) {
	if every == greedily {
		_, _ = io.Copy(io.Discard, h)
		return
	}
	for one := make([]byte, 1); every > 0 && ctx.Err() == nil; time.Sleep(every) {
		if _, err := h.Read(one); err != nil {
			return
		}
	}
}

// All of it at a time keeps to the same sum.
func TestMemoryInSum(t *testing.T) {
	beside(t)
	c := newCluster(t, 3, scarcely("--reads", "lease")...)
	leader := c.ready()
	s, err := c.speak(leader)
	if err == nil {
		err = s.register()
	}
	if err == nil {
		err = s.put("large", strings.Repeat("v", 1<<20))
	}
	if err != nil {
		t.Fatal(err)
	}
	half := frameOf(wire.TypeRequest, wire.MaxBatch)
	half = half[:len(half)-1]
	attacks := []func(ctx context.Context, h *hostile){
		func(_ context.Context, h *hostile) {
			if _, err := h.Write(half); err == nil {
				h.ended(time.Minute)
			}
		},
		func(ctx context.Context, h *hostile) { h.ask(ctx, false, 60) },
		func(ctx context.Context, h *hostile) { h.ask(ctx, true, 60) },
	}
	var turn atomic.Int64
	c.unhurt(func(ctx context.Context) {
		swarm(ctx, crowdOf(300), func(ctx context.Context) {
			h := c.greeted(leader)
			if h == nil {
				return
			}
			defer h.abort()
			defer context.AfterFunc(ctx, h.abort)()
			attacks[int(turn.Add(1))%len(attacks)](ctx, h)
		})
	})
}
