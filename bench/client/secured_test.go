package client_test

import (
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"paxosbench/bench/client"
	"paxosbench/bench/client/clienttest"
	"paxosbench/wire"
	"paxosbench/wire/secure"
	"paxosbench/wire/secure/authority"
)

// credentials are those of a replica and a client of one authority.
func credentials(t *testing.T) (replica, loadgen *secure.Credentials) {
	t.Helper()
	a, err := authority.New()
	if err != nil {
		t.Fatal(err)
	}
	load := func(id secure.Identity) *secure.Credentials {
		dir := filepath.Join(t.TempDir(), "tls")
		if err := a.Issue(id, dir); err != nil {
			t.Fatal(err)
		}
		c, err := secure.Load(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	return load(secure.ReplicaIdentity(1)), load(secure.Identity{Role: secure.Client, Name: "loadgen"})
}

// front has those who connect prove who they are, and passes what they say on to a server. It returns its address.
func front(t *testing.T, server *clienttest.Server, c *secure.Credentials) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	pass := func(nc net.Conn) {
		carrier, _, err := c.Server(t.Context(), nc, func(secure.Identity) error { return nil }, []byte("no TLS"))
		if err != nil {
			return
		}
		defer carrier.Close()
		plain, err := net.Dial("tcp", server.Addr())
		if err != nil {
			t.Error(err)
			return
		}
		defer plain.Close()
		all.Go(func() {
			defer carrier.Close()
			_, _ = io.Copy(carrier.Conn(), plain)
		})
		_, _ = io.Copy(plain, carrier.Conn())
	}
	all.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { pass(nc) })
		}
	})
	return l.Addr().String()
}

// plain is the address of a replica that does not speak TLS.
func plain(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = nc.Read(make([]byte, 1<<10))
			_, _ = nc.Write(wire.AppendFault(nil, "not this protocol"))
			_ = nc.Close()
		}
	}()
	return l.Addr().String()
}

// Over a connection on which both sides have proved who they are everything is as it is otherwise.
func TestSecured(t *testing.T) {
	replica, loadgen := credentials(t)
	addr := front(t, listen(t, clienttest.Config{}), replica)
	r := newRig(t, client.Config{Addrs: []string{addr}, Conns: 3, Sessions: 7, Credentials: loadgen})
	r.register()
	r.issue(2000)
	if n := r.Open(); n != 3 {
		t.Errorf("%d connections are open, want 3", n)
	}
	r.Restart(0)
	r.issue(100)
	if c := r.Report().Counters; c.CorruptFrames+c.Violations != 0 || c.Connects != 6 {
		t.Errorf("counters %+v", c)
	}
}

// Why no connection comes about is said in words that help.
func TestNotSecured(t *testing.T) {
	replica, loadgen := credentials(t)
	_, foreign := credentials(t)
	server := listen(t, clienttest.Config{})
	addr := front(t, server, replica)
	for name, tt := range map[string]struct {
		addr        string
		credentials *secure.Credentials
		want        string
	}{
		"of another authority": {addr, foreign, "unknown authority"},
		"a client's answers":   {front(t, server, loadgen), loadgen, "certificate"},
		"nobody there":         {"127.0.0.1:1", loadgen, "connection refused"},
		"the server is plain":  {plain(t), loadgen, secure.BothOrNone},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, client.Config{Addrs: []string{tt.addr}, Conns: 1, Sessions: 1, Credentials: tt.credentials})
			r.until(tt.want, func() bool { return r.LastError() != nil && strings.Contains(r.LastError().Error(), tt.want) })
		})
	}
}
