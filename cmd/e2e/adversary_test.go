package e2e

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"paxosbench/wire"
)

// What strangers and hostile clients do is tried on real processes, while a victim's load runs beside it. Each attack is a
// function that goes on until its context ends; besiege gives it a cluster and a victim, and says what the victim has felt.

// hostile is a connection that keeps to no rules.
type hostile struct {
	net.Conn
	unread []byte
}

// hostileAt connects to a port of the cluster. It returns an error where that is refused, which an attacker bears with.
func hostileAt(port int) (*hostile, error) {
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), 5*time.Second)
	if err != nil {
		return nil, err
	}
	return &hostile{Conn: conn}, nil
}

// mustHostile is hostileAt for a connection that the test needs. It is closed with the test.
func mustHostile(t testing.TB, port int) *hostile {
	t.Helper()
	h, err := hostileAt(port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.abort)
	return h
}

// abort ends the connection by a reset, so that no port of this host lingers.
func (h *hostile) abort() {
	plain := h.Conn
	if secured, ok := plain.(*tls.Conn); ok {
		plain = secured.NetConn()
	}
	if tcp, ok := plain.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = plain.Close()
}

// entered connects to the port for clients of a replica, as another client than the victim where everybody has to prove who they are.
func (c *cluster) entered(id int) (*hostile, error) {
	if c.tls {
		return c.enteredAs(id, c.credentials(otherIdentity))
	}
	return hostileAt(c.members[id-1].client)
}

// enteredAs does the same with the credentials of a directory.
func (c *cluster) enteredAs(id int, dir string) (*hostile, error) {
	config, err := presenting(dir)
	if err != nil {
		return nil, err
	}
	h, err := hostileAt(c.members[id-1].client)
	if err == nil {
		h.Conn = tls.Client(h.Conn, config)
	}
	return h, err
}

// hear returns the next whole frame, or the error that ends the connection. It waits as long as the connection's deadline has it.
func (h *hostile) hear() (header wire.Header, frame []byte, err error) {
	for part := make([]byte, 64<<10); ; {
		header, err = wire.DecodeHeader(h.unread)
		if err == nil && len(h.unread) >= header.FrameLen() {
			frame = h.unread[:header.FrameLen()]
			h.unread = h.unread[header.FrameLen():]
			return header, frame, header.CheckBody(frame[header.Size:])
		}
		if err != nil && err != wire.ErrShort {
			return header, nil, err
		}
		n, err := h.Read(part)
		h.unread = append(h.unread, part[:n]...)
		if err != nil {
			return header, nil, err
		}
	}
}

// ended reports whether the other side closes the connection in time, whatever it says before.
func (h *hostile) ended(within time.Duration) bool {
	if err := h.SetReadDeadline(time.Now().Add(within)); err != nil {
		return true
	}
	_, err := io.Copy(io.Discard, h)
	timeout, ok := err.(net.Error)
	return !ok || !timeout.Timeout()
}

// swarm has n attackers at work until the context ends. Each tries again at once when it has failed.
func swarm(ctx context.Context, n int, attack func(ctx context.Context)) {
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			for ctx.Err() == nil {
				attack(ctx)
			}
		})
	}
	all.Wait()
}

// siege is what a victim's load was like, alone and beside an attack, and what the replicas held of memory.
type siege struct {
	t               testing.TB
	quiet, attacked result
	before, peak    map[int]int64 // bytes resident, by replica
}

const (
	siegeRate   = 2000
	siegeKeys   = 1000
	siegeSample = 50 * time.Millisecond

	// siegePatience is how many loads more a victim runs at most while an attack gets under way.
	siegePatience = 20

	// leastP999 is below what a host that is busy with other things tells apart.
	leastP999 = 10 * time.Millisecond

	// starved is for how long a host that is far too busy keeps a victim waiting that nobody attacks, and replicas from their heartbeats:
	// half an election timeout. Who leads says nothing there.
	starved = 250 * time.Millisecond
)

// quietHost has tests check how long a victim waited. How long that is beside whatever else a host does says nothing, so without it they
// log that, and check what else is promised, for a shorter time: right answers, what was acknowledged, who leads, memory.
var quietHost = flag.Bool("quiet-host", false, "check how long a victim waits, and longer: the host has nothing else to do")

// siegeLasts is how long an attack lasts, and siegeQuiet a load that nobody attacks.
func siegeLasts() time.Duration {
	if *quietHost {
		return 4 * time.Second
	}
	return 2 * time.Second
}

func siegeQuiet() time.Duration { return siegeLasts() / 2 }

// besiege loads the cluster as a victim would, alone, while attack goes on, which must return when its context ends, and alone again:
// quiet is the worse of these two, for the host may be busy with other things at any time. Whatever the attack, the answers are right,
// nothing that was acknowledged is lost, the leader stays, and the replicas agree in the end.
func (c *cluster) besiege(attack func(ctx context.Context)) *siege {
	c.t.Helper()
	return c.besiegeUntil(func() bool { return true }, attack)
}

// besiegeUntil is besiege for an attack that has a way to go before it is one: the victim's load goes on until there says that it is,
// however long a slow host takes for that.
func (c *cluster) besiegeUntil(there func() bool, attack func(ctx context.Context)) *siege {
	c.t.Helper()
	s := &siege{t: c.t, before: map[int]int64{}, peak: map[int]int64{}}
	s.quiet = c.victim(siegeQuiet(), func() {})
	leader, elections := c.leader(), c.elections()
	for _, m := range c.members {
		s.before[m.id] = c.resident(m.id)
	}
	sample := func() {
		for _, m := range c.members {
			s.peak[m.id] = max(s.peak[m.id], c.resident(m.id))
		}
	}
	ctx, cancel := context.WithCancel(c.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		attack(ctx)
	}()
	s.attacked = c.victim(siegeLasts(), sample)
	for again := 0; !there() && again < siegePatience; again++ {
		s.attacked.worsen(c.victim(siegeLasts(), sample))
	}
	cancel()
	<-ended
	if !there() {
		c.t.Errorf("the attack did not get far enough to be one")
	}
	after, candidacies := c.leader(), c.elections()-elections
	c.agree()
	s.quiet.worsen(c.victim(siegeQuiet(), func() {}))
	if (after != leader || candidacies > 0) && time.Duration(s.quiet.Latency.Max) < starved {
		c.t.Errorf("the leader was %d and is %d; %d candidacies meanwhile", leader, after, candidacies)
	}
	s.log()
	return s
}

// worsen makes a load's result the worse of itself and another load's, in what a siege looks at.
func (r *result) worsen(other result) {
	r.Throughput = min(r.Throughput, other.Throughput)
	r.Latency.P999 = max(r.Latency.P999, other.Latency.P999)
	r.Latency.Max = max(r.Latency.Max, other.Latency.Max)
}

// victim runs an open loop that reads everything back behind it, and calls sample meanwhile.
func (c *cluster) victim(duration time.Duration, sample func()) result {
	c.t.Helper()
	load := c.load(duration, "--rate", fmt.Sprint(siegeRate), "--keys", fmt.Sprint(siegeKeys), "--warmup", "200ms", "--timeout", "30s", "--max-errors", "1")
	for done := false; !done; {
		select {
		case <-load.done:
			done = true
		case <-time.After(siegeSample):
			sample()
		}
	}
	r := c.result()
	if r.Ops.OK == 0 || r.Verification.Violations != 0 {
		c.t.Errorf("the victim: %+v; it says:\n%s", r, load.text())
	}
	return r
}

// elections returns how many candidacies the replicas have counted.
func (c *cluster) elections() (n uint64) {
	c.t.Helper()
	for _, m := range c.members {
		n += c.mustStatus(m.id).Paxos.Elections
	}
	return n
}

// fromOutside checks what is promised against those without an identity: half of the victim's throughput, and a p99.9 below
// twenty times its quiet value.
func (s *siege) fromOutside() {
	s.t.Helper()
	if !*quietHost {
		return
	}
	if s.attacked.Throughput < s.quiet.Throughput/2 {
		s.t.Errorf("the victim had %.0f operations a second and has %.0f beside the attack", s.quiet.Throughput, s.attacked.Throughput)
	}
	if bound := 20 * max(time.Duration(s.quiet.Latency.P999), leastP999); time.Duration(s.attacked.Latency.P999) > bound {
		s.t.Errorf("the victim's p99.9 is %v, want at most %v", time.Duration(s.attacked.Latency.P999), bound)
	}
}

// longestHold is for how long a client with an identity may keep others waiting.
const longestHold = time.Second

// fromInside checks what is promised against clients with an identity: nobody waits for longer than a second, and what they wait for
// on this host anyway.
func (s *siege) fromInside() {
	s.t.Helper()
	if !*quietHost {
		return
	}
	bound := longestHold + time.Duration(s.quiet.Latency.Max)
	if longest := time.Duration(s.attacked.Latency.Max); longest > bound {
		s.t.Errorf("the victim waited %v, want at most %v", longest, bound)
	}
}

// within checks that no replica held more than so many bytes above what it held before.
func (s *siege) within(bytes int64) {
	s.t.Helper()
	for id, peak := range s.peak {
		if grown := peak - s.before[id]; grown > bytes {
			s.t.Errorf("replica %d held %d MiB more than before, want at most %d", id, grown>>20, bytes>>20)
		}
	}
}

func (s *siege) log() {
	s.t.Helper()
	s.t.Logf("alone %.0f/s, p99.9 %v; attacked %.0f/s, p99.9 %v, max %v; memory before %d, at most %d MiB",
		s.quiet.Throughput, time.Duration(s.quiet.Latency.P999), s.attacked.Throughput, time.Duration(s.attacked.Latency.P999),
		time.Duration(s.attacked.Latency.Max), mib(s.before), mib(s.peak))
}

func mib(bytes map[int]int64) map[int]int64 {
	in := map[int]int64{}
	for id, n := range bytes {
		in[id] = n >> 20
	}
	return in
}
