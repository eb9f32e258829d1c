package clienttest

import (
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"paxosbench/wire/secure"
	"paxosbench/wire/secure/authority"
)

// Credentials returns those of a replica and a client of one authority.
func Credentials(t *testing.T) (replica, user *secure.Credentials) {
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

// Front has those who connect prove who they are, and passes what they say on to a server. It returns its address.
func Front(t *testing.T, server *Server, c *secure.Credentials) string {
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
		conn, _, err := c.Server(t.Context(), nc, func(secure.Identity) error { return nil }, []byte("no TLS"))
		if err != nil {
			return
		}
		defer conn.Close()
		plain, err := net.Dial("tcp", server.Addr())
		if err != nil {
			t.Error(err)
			return
		}
		defer plain.Close()
		all.Go(func() {
			defer conn.Close()
			_, _ = io.Copy(conn, plain)
		})
		_, _ = io.Copy(plain, conn)
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
