package secure

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// The files of a directory of credentials. The names are those of a Kubernetes secret of type tls as cert-manager fills it, so
// that one can be mounted as it is.
const (
	AuthorityFile   = "ca.crt"  // the certificates of the authority, in PEM; several while one replaces another
	CertificateFile = "tls.crt" // the holder's, behind it those between it and the authority
	KeyFile         = "tls.key" // the private key to it
)

// Credentials are what one program proves itself by and checks others against. They are files, which are read again when they
// have changed: whoever connects then is measured by the new ones. It may be used from any goroutine.
type Credentials struct {
	dir  string
	warn func(error) // of files that have changed for the worse

	mu      sync.Mutex
	stamp   stamp // of the files when they were last read
	current *material
}

// material is what the files held.
type material struct {
	identity    Identity
	certificate tls.Certificate
	authorities *x509.CertPool
}

// stamp tells files that have changed.
type stamp [3]struct {
	size     int64
	modified time.Time
}

// Load reads the credentials in a directory. Files that are later replaced by bad ones are passed to warn, which may be nil, and
// the good ones stay in use.
func Load(dir string, warn func(error)) (*Credentials, error) {
	c := &Credentials{dir: dir, warn: warn}
	var err error
	if c.stamp, err = c.look(); err == nil {
		c.current, err = read(dir)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Identity returns who these credentials prove their holder to be.
func (c *Credentials) Identity() Identity { return c.material().identity }

// material returns what is in the files now.
func (c *Credentials) material() *material {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, err := c.look()
	if err == nil && now == c.stamp {
		return c.current
	}
	c.stamp = now // what is wrong is said once
	if err == nil {
		var changed *material
		if changed, err = read(c.dir); err == nil && changed.identity != c.current.identity {
			err = fmt.Errorf("%s is that of %v now, and was that of %v: put back a certificate of the same name, or start anew",
				filepath.Join(c.dir, CertificateFile), changed.identity, c.current.identity)
		}
		if err == nil {
			c.current = changed
		}
	}
	if err != nil && c.warn != nil {
		c.warn(fmt.Errorf("the credentials have changed, those from before stay in use: %w", err))
	}
	return c.current
}

// look returns when the files were last changed.
func (c *Credentials) look() (s stamp, err error) {
	for i, name := range []string{AuthorityFile, CertificateFile, KeyFile} {
		info, err := os.Stat(filepath.Join(c.dir, name))
		if err != nil {
			return s, missing(c.dir, err)
		}
		s[i].size, s[i].modified = info.Size(), info.ModTime()
	}
	return s, nil
}

func missing(dir string, err error) error {
	return fmt.Errorf("credentials: %w; a directory of credentials (%s) holds %s, %s and %s, see docs/security.md", err, dir, AuthorityFile, CertificateFile, KeyFile)
}

// read reads the files and checks that the certificate is one that others will take.
func read(dir string) (*material, error) {
	path := func(name string) string { return filepath.Join(dir, name) }
	authority, err := os.ReadFile(path(AuthorityFile))
	if err != nil {
		return nil, missing(dir, err)
	}
	m := &material{authorities: x509.NewCertPool()}
	if !m.authorities.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("credentials: %s holds no certificate: want that of the authority, in PEM", path(AuthorityFile))
	}
	if m.certificate, err = tls.LoadX509KeyPair(path(CertificateFile), path(KeyFile)); err != nil {
		return nil, fmt.Errorf("credentials: %s with %s: %w: want a certificate and its private key, in PEM", path(CertificateFile), path(KeyFile), err)
	}
	if m.identity, err = identify(m.certificate.Leaf); err != nil {
		return nil, fmt.Errorf("credentials: %s: %w", path(CertificateFile), err)
	}
	usage := x509.ExtKeyUsageClientAuth // which everybody has
	if err := m.verify(chain(&m.certificate), usage); err != nil {
		return nil, fmt.Errorf("credentials: %s: %w: have it made anew by the authority in %s", path(CertificateFile), err, path(AuthorityFile))
	}
	return m, nil
}

// chain returns the certificates that are shown to others.
func chain(cert *tls.Certificate) (list []*x509.Certificate) {
	list = append(list, cert.Leaf)
	for _, der := range cert.Certificate[1:] {
		if between, err := x509.ParseCertificate(der); err == nil {
			list = append(list, between)
		}
	}
	return list
}

// verify checks that the authority stands for a certificate, the first of a chain.
func (m *material) verify(chain []*x509.Certificate, usage x509.ExtKeyUsage) error {
	between := x509.NewCertPool()
	for _, cert := range chain[1:] {
		between.AddCert(cert)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: m.authorities, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{usage}})
	return err
}

// config is what both sides of a connection have in common. Sessions are not resumed: whoever connects proves itself by what is
// valid then. Records are of full size from the first on.
func (m *material) config(accept func(Identity) error, usage x509.ExtKeyUsage, proved *Identity) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{m.certificate},
		SessionTicketsDisabled: true, DynamicRecordSizingDisabled: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 {
				return errors.New("it has shown no certificate")
			}
			if err := m.verify(state.PeerCertificates, usage); err != nil {
				return err
			}
			id, err := identify(state.PeerCertificates[0])
			if err == nil {
				err = accept(id)
			}
			if err == nil {
				*proved = id
			}
			return err
		},
	}
}

// Server proves this program to one that has connected, and has that one prove itself. accept says who may. On failure the
// connection is closed; who does not speak TLS is sent refusal before, as it is. The deadline is that of ctx.
func (c *Credentials) Server(ctx context.Context, nc net.Conn, accept func(Identity) error, refusal []byte) (*Conn, Identity, error) {
	m, id := c.material(), Identity{}
	config := m.config(accept, x509.ExtKeyUsageClientAuth, &id)
	config.ClientAuth, config.ClientCAs = tls.RequireAnyClientCert, m.authorities // VerifyConnection does the rest
	conn, err := shake(ctx, nc, func(ground net.Conn) *tls.Conn { return tls.Server(ground, config) }, refusal)
	return conn, id, err
}

// Dialled does the same on a connection that this program has dialled.
func (c *Credentials) Dialled(ctx context.Context, nc net.Conn, accept func(Identity) error) (*Conn, Identity, error) {
	m, id := c.material(), Identity{}
	config := m.config(accept, x509.ExtKeyUsageServerAuth, &id)
	config.InsecureSkipVerify = true // it would check a host's name; VerifyConnection checks all else, and the identity
	conn, err := shake(ctx, nc, func(ground net.Conn) *tls.Conn { return tls.Client(ground, config) }, nil)
	return conn, id, err
}

// BothOrNone says what to do when one side speaks TLS and the other does not.
const BothOrNone = "one side speaks TLS and the other does not: give --tls to all replicas and clients of a cluster, or to none"

// IsTLS reports whether bytes that are nothing else begin a TLS record.
func IsTLS(b []byte) bool {
	const alert, handshake, version = 21, 22, 3
	return len(b) >= 2 && (b[0] == alert || b[0] == handshake) && b[1] == version
}

// turns lets one handshake compute at a time. The others wait where they take nothing from anybody: in the scheduler's queue they
// would stand, by the hundred, before the event loop, and strangers could keep a leader from its heartbeats.
var turns = make(chan struct{}, 1)

// shake does the handshake.
func shake(ctx context.Context, nc net.Conn, over func(net.Conn) *tls.Conn, refusal []byte) (*Conn, error) {
	s, err := newSocket(nc)
	if err != nil {
		_ = nc.Close()
		return nil, err
	}
	below := &ground{s}
	conn := over(below)
	s.turn = turns
	s.turn <- struct{}{}
	err = conn.HandshakeContext(ctx)
	<-s.turn
	s.turn = nil
	if err == nil {
		return &Conn{conn, below}, nil
	}
	if other := (tls.RecordHeaderError{}); errors.As(err, &other) {
		err = fmt.Errorf("%w; %s", err, BothOrNone)
		_ = nc.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = nc.Write(refusal) // a courtesy
	}
	s.drain()
	_ = nc.Close()
	return nil, err
}
