package secure_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"paxosbench/wire/secure"
	"paxosbench/wire/secure/authority"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// trust makes an authority and a directory of credentials for each identity.
type trust struct {
	testing.TB
	*authority.Authority
	dir string
}

func newTrust(t testing.TB) *trust {
	t.Helper()
	a, err := authority.New()
	if err != nil {
		t.Fatal(err)
	}
	return &trust{t, a, t.TempDir()}
}

func (t *trust) issue(id secure.Identity) string {
	t.Helper()
	dir := filepath.Join(t.dir, string(id.Role)+"-"+id.Name)
	if err := t.Issue(id, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (t *trust) load(id secure.Identity) *secure.Credentials {
	t.Helper()
	c, err := secure.Load(t.issue(id), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// sockets returns both ends of a TCP connection.
func sockets(t testing.TB) (dialled, accepted net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if dialled, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if accepted, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return dialled, accepted
}

// only takes one identity and no other.
func only(want secure.Identity) func(secure.Identity) error {
	return func(got secure.Identity) error {
		if got != want {
			return fmt.Errorf("%v is not %v", got, want)
		}
		return nil
	}
}

func anyone(secure.Identity) error { return nil }

var (
	one, two = secure.ReplicaIdentity(1), secure.ReplicaIdentity(2)
	loadgen  = secure.Identity{Role: secure.Client, Name: "loadgen"}
)

// meet has a client and a server prove themselves to each other. What comes of it is closed when the test ends. Where the server does
// not take the client, only the server knows at once.
func meet(t testing.TB, client, server *secure.Credentials, clientWants, serverWants func(secure.Identity) error) (near, far *secure.Conn, errs [2]error) {
	t.Helper()
	dialled, accepted := sockets(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var both sync.WaitGroup
	both.Go(func() { near, _, errs[0] = client.Dialled(ctx, dialled, clientWants) })
	both.Go(func() { far, _, errs[1] = server.Server(ctx, accepted, serverWants, nil) })
	both.Wait()
	t.Cleanup(func() { _, _ = dialled.Close(), accepted.Close() })
	return near, far, errs
}

// Neither role takes the place of the other, one replica not that of another, and another authority stands for nobody.
func TestWhoMayComeIn(t *testing.T) {
	trust, foreign := newTrust(t), newTrust(t)
	for name, tt := range map[string]struct {
		client, server     *secure.Credentials
		clientWants        secure.Identity
		serverWants        secure.Identity
		client0k, serverOK bool
	}{
		"a client":                {trust.load(loadgen), trust.load(one), one, loadgen, true, true},
		"a peer":                  {trust.load(two), trust.load(one), one, two, true, true},
		"another replica answers": {trust.load(loadgen), trust.load(two), one, loadgen, false, false},
		"a client answers":        {trust.load(two), trust.load(loadgen), loadgen, two, false, false},
		"another client":          {trust.load(loadgen), trust.load(one), one, two, true, false},
		"a client of nobody":      {foreign.load(loadgen), trust.load(one), one, loadgen, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			near, _, errs := meet(t, tt.client, tt.server, only(tt.clientWants), only(tt.serverWants))
			if (errs[0] == nil) != tt.client0k || (errs[1] == nil) != tt.serverOK {
				t.Errorf("the client: %v; the server: %v", errs[0], errs[1])
			}
			if near != nil && !tt.serverOK {
				_ = near.SetDeadline(time.Now().Add(patience))
				if n, err := near.Read(make([]byte, 1)); n > 0 || err == nil {
					t.Error("the client hears something although it was not taken")
				}
			}
		})
	}
}

// Who does not speak TLS, or shows no certificate, or speaks an older version, does not come in, and is not waited for.
func TestStrangers(t *testing.T) {
	trust := newTrust(t)
	server := trust.load(one)
	for name, says := range map[string]func(nc net.Conn){
		"plain":          func(nc net.Conn) { _, _ = nc.Write(bytes.Repeat([]byte("PX"), 100)) },
		"silent":         func(net.Conn) {},
		"closes":         func(nc net.Conn) { _ = nc.Close() },
		"no certificate": func(nc net.Conn) { _ = tls.Client(nc, &tls.Config{InsecureSkipVerify: true}).Handshake() },
		"TLS 1.2": func(nc net.Conn) {
			_ = tls.Client(nc, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}).Handshake()
		},
	} {
		t.Run(name, func(t *testing.T) {
			dialled, accepted := sockets(t)
			defer dialled.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			go says(dialled)
			if _, _, err := server.Server(ctx, accepted, anyone, nil); err == nil {
				t.Error("it has come in")
			}
		})
	}
}

// Certificates are replaced while the program runs. Bad ones are said to be, and the good ones stay in use.
func TestRotation(t *testing.T) {
	trust, next := newTrust(t), newTrust(t)
	dir := trust.issue(one)
	var said []string
	server, err := secure.Load(dir, func(err error) { said = append(said, err.Error()) })
	if err != nil {
		t.Fatal(err)
	}
	comes := func(client *secure.Credentials) bool {
		t.Helper()
		_, _, errs := meet(t, client, server, anyone, anyone)
		return errors.Join(errs[:]...) == nil
	}
	old, fresh := trust.load(loadgen), next.load(loadgen)
	if !comes(old) || comes(fresh) {
		t.Fatal("at first the old authority counts")
	}
	if err := os.WriteFile(filepath.Join(dir, secure.CertificateFile), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if !comes(old) || len(said) != 1 || !strings.Contains(said[0], secure.CertificateFile) {
		t.Errorf("after a bad certificate: %q", said)
	}
	if err := next.Issue(two, dir); err != nil {
		t.Fatal(err)
	}
	if !comes(old) || len(said) < 2 || !strings.Contains(said[len(said)-1], "was that of paxosbench://replica/1") {
		t.Errorf("after the certificate of another: %q", said)
	}
	if err := next.Issue(one, dir); err != nil {
		t.Fatal(err)
	}
	if comes(old) || !comes(fresh) {
		t.Error("the new authority does not count")
	}
}

// What is wrong with credentials is said with the file and what to do.
func TestBadCredentials(t *testing.T) {
	trust := newTrust(t)
	foreign := newTrust(t).issue(one)
	for name, tt := range map[string]struct {
		spoil func(dir string) error
		want  []string
	}{
		"no file": {func(dir string) error { return os.Remove(filepath.Join(dir, secure.KeyFile)) }, []string{"tls.key", "ca.crt, tls.crt and tls.key"}},
		"no authority": {func(dir string) error { return os.WriteFile(filepath.Join(dir, secure.AuthorityFile), nil, 0o600) },
			[]string{"ca.crt holds no certificate"}},
		"key of another": {func(dir string) error {
			return os.Rename(filepath.Join(foreign, secure.KeyFile), filepath.Join(dir, secure.KeyFile))
		},
			[]string{"tls.crt", "tls.key", "private key"}},
		"of another authority": {func(dir string) error {
			return os.Rename(filepath.Join(foreign, secure.AuthorityFile), filepath.Join(dir, secure.AuthorityFile))
		}, []string{"unknown authority", "ca.crt"}},
		"of nobody":     {func(dir string) error { return trust.Issue(secure.Identity{Role: "king", Name: "1"}, dir) }, []string{`"paxosbench://king/1"`, "paxosbench://replica/ID"}},
		"of replica 01": {func(dir string) error { return trust.Issue(secure.Identity{Role: secure.Replica, Name: "01"}, dir) }, []string{"replica/01"}},
		"of a long name": {func(dir string) error {
			return trust.Issue(secure.Identity{Role: secure.Client, Name: strings.Repeat("x", 100)}, dir)
		}, []string{"client/NAME"}},
	} {
		dir := trust.issue(two)
		if err := tt.spoil(dir); err != nil {
			t.Fatal(err)
		}
		_, err := secure.Load(dir, nil)
		for _, want := range tt.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q in it", name, err, want)
			}
		}
	}
	if c := trust.load(loadgen); c.Identity() != loadgen {
		t.Errorf("identity %v", c.Identity())
	}
}
