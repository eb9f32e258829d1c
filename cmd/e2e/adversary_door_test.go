package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"paxosbench/wire"
	"paxosbench/wire/secure"
	"paxosbench/wire/secure/authority"
)

// Strangers at the port for peers say nothing, or not enough, or something else, and come again as soon as they are closed: a
// follower that restarts comes in all the same, and the victim feels little.
func TestStrangersKeepNoPeerOut(t *testing.T) {
	beside(t)
	for name, says := range map[string][]byte{
		"silent":       nil,
		"half a hello": wire.AppendPeerHello(nil, &wire.PeerHello{From: 3, To: 1, Lane: wire.LaneControl})[:20],
		"a client's":   wire.AppendClientHello(nil, wire.ClientHello{}),
	} {
		t.Run(name, func(t *testing.T) {
			beside(t)
			c := newCluster(t, 3)
			leader := c.ready()
			var came atomic.Int64
			attack := func(ctx context.Context) {
				swarm(ctx, strangers, func(ctx context.Context) {
					c.knock(ctx, c.members[leader-1].peer, says)
					came.Add(1)
				})
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				attack(ctx)
			}()
			c.until("strangers that come again", func() bool { return came.Load() > 100 })
			c.restartPeer(leader)
			cancel()
			<-ended
			c.besiege(attack).fromOutside()
		})
	}
}

const (
	// strangers are more than there are places for those who have not said who they are.
	strangers = 100

	// comesAgain is how long they pause. The attack is on the replicas' places, and not on the processors that they share with this test.
	comesAgain = 10 * time.Millisecond
)

// knock connects, says something, and stays until it is closed.
func (c *cluster) knock(ctx context.Context, port int, says []byte) {
	time.Sleep(comesAgain)
	h, err := hostileAt(port)
	if err != nil {
		return // the backlog is full
	}
	defer h.abort()
	defer context.AfterFunc(ctx, h.abort)()
	_, _ = h.Write(says)
	h.ended(time.Minute)
}

// With TLS, who has no certificate is told nothing and gets nowhere: not by silence, not by hellos, not by handshakes without a
// certificate or with one of another authority, not at the port of the other role. The victim and a follower that restarts get on.
func TestStrangersWithoutIdentity(t *testing.T) {
	beside(t)
	c, foreign := newSecured(t, 3), newTrial(t)
	leader := c.leader()
	m := c.members[leader-1]
	own := func(id secure.Identity) string { return c.credentials(id) }
	hello := wire.AppendPeerHello(nil, &wire.PeerHello{From: 3, To: wire.ReplicaID(leader), Lane: wire.LaneControl})
	greeting, shake := wire.AppendClientHello(nil, wire.ClientHello{}), beginsHandshake(t)
	var attacks []func(ctx context.Context)
	for _, port := range []int{m.peer, m.client} { // the rest of a handshake never comes
		for _, says := range [][]byte{nil, hello, greeting, shake, shake[:len(shake)/2]} {
			attacks = append(attacks, func(ctx context.Context) { c.knock(ctx, port, says) })
		}
	}
	for _, a := range []struct {
		port int
		with string
		says []byte
	}{
		{m.peer, "", hello}, {m.client, "", greeting},
		{m.peer, foreign(secure.ReplicaIdentity(3)), hello}, {m.client, foreign(loadIdentity), greeting},
		{m.peer, own(loadIdentity), hello}, {m.client, own(secure.ReplicaIdentity(3)), greeting},
	} {
		attacks = append(attacks, func(ctx context.Context) { shakes(ctx, t, a.port, a.with, a.says) })
	}
	attack := func(ctx context.Context) {
		var all sync.WaitGroup
		for _, one := range attacks {
			all.Go(func() { swarm(ctx, 8, one) })
		}
		all.Wait()
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		attack(ctx)
	}()
	c.restartPeer(leader)
	cancel()
	<-ended
	s := c.besiege(attack)
	s.fromOutside()
	s.within(256 << 20)
}

// beginsHandshake returns what a TLS client says first.
func beginsHandshake(t *testing.T) []byte {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close()
	go func() { _ = tls.Client(near, &tls.Config{InsecureSkipVerify: true}).Handshake() }() // ends with the pipe
	said := make([]byte, 64<<10)
	n, err := far.Read(said)
	if err != nil {
		t.Fatal(err)
	}
	return said[:n]
}

// newTrial returns what makes credentials of an authority of its own, in a directory.
func newTrial(t *testing.T) func(id secure.Identity) (dir string) {
	t.Helper()
	trial, err := authority.New()
	if err != nil {
		t.Fatal(err)
	}
	return func(id secure.Identity) string {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "tls")
		if err := trial.Issue(id, dir); err != nil {
			t.Fatal(err)
		}
		return dir
	}
}

// shakes takes part in a handshake with a certificate that must not open the port, or with none, says something, and is to hear nothing.
func shakes(ctx context.Context, t *testing.T, port int, dir string, says []byte) {
	config, err := presenting(dir)
	if err != nil {
		t.Error(err)
		return
	}
	time.Sleep(comesAgain)
	h, err := hostileAt(port)
	if err != nil {
		return
	}
	defer h.abort()
	defer context.AfterFunc(ctx, h.abort)()
	conn := tls.Client(h.Conn, config)
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	_, _ = conn.Write(says)
	if n, _ := conn.Read(make([]byte, 64)); n > 0 {
		t.Errorf("a stranger hears %d bytes", n)
	}
}

// Who says that it is a replica that is connected gets nowhere, however long that one has said nothing: followers have nothing
// to say to each other for as long as they have a leader.
func TestIdleLinkIsNotTakenOver(t *testing.T) {
	beside(t)
	c := newCluster(t, 3)
	leader := c.ready()
	follower, other := leader%3+1, (leader+1)%3+1 // who dials is the one with the higher id
	if follower > other {
		follower, other = other, follower
	}
	cluster, err := strconv.ParseUint(c.mustStatus(follower).Cluster, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	claim := func(ctx context.Context) {
		swarm(ctx, 4, func(ctx context.Context) {
			for lane := wire.LaneControl; lane <= wire.LaneCount; lane++ {
				c.knock(ctx, c.members[follower-1].peer, wire.AppendPeerHello(nil, &wire.PeerHello{
					Cluster: cluster, Incarnation: 4711, From: wire.ReplicaID(other), To: wire.ReplicaID(follower), Lane: lane, Met: 7, MetBy: 7,
					Settings: settingsOf(c),
				}))
			}
		})
	}
	c.besiege(claim).fromOutside()
	for _, p := range c.mustStatus(follower).Peers {
		if p.ID == other && p.Ups != 1 {
			t.Errorf("replica %d has been connected to replica %d %d times, want once", other, follower, p.Ups)
		}
	}
	if text := c.replicas[follower].text(); !strings.Contains(text, "already connected") {
		t.Errorf("no attempt got as far as to be refused for that:\n%s", text)
	}
}

// settingsOf is what the replicas of a cluster with default flags compare.
func settingsOf(c *cluster) wire.Settings {
	return wire.MakeSettings(
		wire.Setting{Name: "machine", Value: "kv"}, wire.Setting{Name: "max-sessions", Value: "65536"}, wire.Setting{Name: "quorum2", Value: "2"},
		wire.Setting{Name: "replicas", Value: "1,2,3"}, wire.Setting{Name: "store-limit", Value: "4294967296"}, wire.Setting{Name: "durability", Value: "fsync"},
		wire.Setting{Name: "protocol", Value: fmt.Sprint(wire.PeerProtocol)}, wire.Setting{Name: "reads", Value: "log"},
	)
}

// Greeted clients that do nothing fill all places: one that has something to do comes in, and so do many that come and go.
func TestIdleStrangersLockNobodyOut(t *testing.T) {
	beside(t)
	const places = 200
	greeting := wire.AppendClientHello(nil, wire.ClientHello{})
	for name, tt := range map[string]struct {
		says   []byte
		closes bool // its half of the connection
	}{"greeted": {greeting, false}, "silent": {nil, false}, "greeted, half closed": {greeting, true}} {
		t.Run(name, func(t *testing.T) {
			beside(t)
			c := newCluster(t, 3, "--max-clients", fmt.Sprint(places))
			port := c.members[c.ready()-1].client
			for range places {
				if _, err := mustHostile(t, port).Write(tt.says); err != nil {
					t.Fatal(err)
				}
			}
			c.until("all places to be taken", func() bool { return c.mustStatus(c.leader()).Transport.Clients == places })
			s := c.besiege(func(ctx context.Context) {
				swarm(ctx, 20, func(ctx context.Context) {
					if tt.closes {
						c.halfClosed(port, tt.says)
					} else {
						c.knock(ctx, port, tt.says)
					}
				})
			})
			s.fromOutside()
			s.fromInside()
			s.within(32 << 20)
		})
	}
}

// halfClosed connects, says something and that there is no more to come, and leaves the connection half open for a while.
func (c *cluster) halfClosed(port int, says []byte) {
	h, err := hostileAt(port)
	if err != nil {
		return // the backlog is full
	}
	defer h.abort()
	_, _ = h.Write(says)
	_ = h.Conn.(*net.TCPConn).CloseWrite()
	time.Sleep(comesAgain)
}

// Who takes all places at the admin address, says nothing there or never comes to an end, is in nobody's way but of who asks there; and
// when it is gone the address answers at once.
func TestAdminCrowd(t *testing.T) {
	beside(t)
	for name, says := range map[string]string{"silent": "", "half a request": "GET /status HTTP/1.1\r\nHost: localhost\r\nX: "} {
		t.Run(name, func(t *testing.T) {
			beside(t)
			c := newCluster(t, 3)
			leader := c.ready()
			s := c.besiege(func(ctx context.Context) {
				swarm(ctx, 200, func(ctx context.Context) { c.knock(ctx, c.members[leader-1].admin, []byte(says)) })
			})
			s.fromOutside()
			s.within(32 << 20)
		})
	}
}

// The admin address answers who asks for this host, and not a page on the web whose name resolves to it.
func TestAdminTellsWebPagesNothing(t *testing.T) {
	beside(t)
	c := newCluster(t, 3, "--pprof")
	c.ready()
	for _, path := range []string{"/status", "/metrics", "/debug/pprof/heap", "/healthz"} {
		request, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", c.members[0].admin, path), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, ask := range []struct {
			host, header, value string
			want                int
		}{
			{"", "", "", http.StatusOK},
			{"evil.example", "", "", http.StatusForbidden},
			{"", "Sec-Fetch-Site", "cross-site", http.StatusForbidden},
			{"", "Origin", "http://evil.example", http.StatusForbidden},
		} {
			asked := request.Clone(t.Context())
			asked.Host = ask.host
			if ask.header != "" {
				asked.Header.Set(ask.header, ask.value)
			}
			response, err := http.DefaultClient.Do(asked)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode != ask.want {
				t.Errorf("%s of host %q with %s %q: %s, want %d", path, ask.host, ask.header, ask.value, response.Status, ask.want)
			}
		}
	}
}

// An address that others reach is not listened at by accident.
func TestNobodyListensToTheWorldByAccident(t *testing.T) {
	beside(t)
	c := &cluster{t: t, dir: t.TempDir(), replicas: map[int]*process{}}
	c.addMembers(1)
	m := c.members[0]
	for _, host := range []string{"0.0.0.0", "", "[::]"} {
		args := []string{"--id", "1", "--data", filepath.Join(c.dir, "1"), "--bootstrap", "--member", fmt.Sprintf("1=127.0.0.1:%d,%s:%d", m.peer, host, m.client)}
		p := start(t, filepath.Join(c.dir, "refused.log"), "replica", args...)
		if code := p.exit(t, 10*time.Second); code != 2 || !strings.Contains(p.text(), "--insecure-listen") {
			t.Errorf("at %q the replica ended with %d and said %s", host, code, p.text())
		}
		exposed := start(t, filepath.Join(c.dir, "exposed.log"), "replica", append(args, "--insecure-listen")...)
		c.until("the replica to listen", func() bool {
			conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", m.client))
			if err == nil {
				_ = conn.Close()
			}
			return err == nil
		})
		if !strings.Contains(exposed.text(), "level=WARN") || !strings.Contains(exposed.text(), "insecure-listen") {
			t.Errorf("at %q the replica warns of nothing: %s", host, exposed.text())
		}
		if err := exposed.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		exposed.exit(t, 10*time.Second)
	}
}
