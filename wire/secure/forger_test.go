package secure_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"paxosbench/wire/secure"
)

// The types of records that a forger makes.
const (
	typeAlert     = 21
	typeHandshake = 22
	typeData      = 23
)

// forger makes records of any kind, as one may who has a certificate, in one direction, and reads those of the other.
type forger struct {
	testing.TB
	secret []byte
	aead   cipher.AEAD
	nonce  []byte
	number uint64
}

// forgers connect with the credentials of a client. They return what seals for the other end, what opens what that has sealed, and
// the other end.
func forgers(t testing.TB) (out, in *forger, far *secure.Records) {
	t.Helper()
	trust := newTrust(t)
	dir := trust.issue(loadgen)
	certificate, err := tls.LoadX509KeyPair(filepath.Join(dir, secure.CertificateFile), filepath.Join(dir, secure.KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	dialled, accepted := sockets(t)
	t.Cleanup(func() { _ = dialled.Close() })
	var secrets bytes.Buffer
	client := tls.Client(dialled, &tls.Config{Certificates: []tls.Certificate{certificate}, InsecureSkipVerify: true, KeyLogWriter: &secrets})
	var server *secure.Conn
	var errs [2]error
	var both sync.WaitGroup
	both.Go(func() { errs[0] = client.Handshake() })
	both.Go(func() { server, _, errs[1] = trust.load(one).Server(t.Context(), accepted, only(loadgen), nil) })
	both.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	if suite := client.ConnectionState().CipherSuite; suite != tls.TLS_AES_128_GCM_SHA256 {
		t.Fatalf("%s, which this test does not know", tls.CipherSuiteName(suite))
	}
	tcp, far := server.Part()
	t.Cleanup(func() { _ = tcp.Close() })
	return newForger(t, &secrets, "CLIENT"), newForger(t, &secrets, "SERVER"), far
}

func newForger(t testing.TB, secrets *bytes.Buffer, side string) *forger {
	t.Helper()
	for line := range strings.Lines(secrets.String()) {
		if fields := strings.Fields(line); fields[0] == side+"_TRAFFIC_SECRET_0" {
			secret, err := hex.DecodeString(fields[2])
			if err != nil {
				t.Fatal(err)
			}
			f := &forger{TB: t}
			f.use(secret)
			return f
		}
	}
	t.Fatal("no secret of the " + side)
	return nil
}

// derive is HKDF-Expand-Label of RFC 8446.
func (f *forger) derive(label string, length int) []byte {
	label = "tls13 " + label
	info := binary.BigEndian.AppendUint16(nil, uint16(length))
	info = append(append(append(info, byte(len(label))), label...), 0)
	key, err := hkdf.Expand(sha256.New, f.secret, string(info), length)
	if err != nil {
		f.Fatal(err)
	}
	return key
}

func (f *forger) use(secret []byte) {
	f.secret = secret
	block, err := aes.NewCipher(f.derive("key", 16))
	if err == nil {
		f.aead, err = cipher.NewGCM(block)
	}
	if err != nil {
		f.Fatal(err)
	}
	f.nonce, f.number = f.derive("iv", 12), 0
}

// renew goes over to the next key.
func (f *forger) renew() { f.use(f.derive("traffic upd", sha256.Size)) }

// next returns the nonce of the next record.
func (f *forger) next() []byte {
	nonce := bytes.Clone(f.nonce)
	binary.BigEndian.PutUint64(nonce[4:], binary.BigEndian.Uint64(nonce[4:])^f.number)
	f.number++
	return nonce
}

// seal makes a record.
func (f *forger) seal(kind byte, content []byte) []byte {
	content = append(bytes.Clone(content), kind)
	header := binary.BigEndian.AppendUint16([]byte{typeData, 3, 3}, uint16(len(content)+f.aead.Overhead()))
	return f.aead.Seal(header, f.next(), content, header)
}

// open reads the first record of several.
func (f *forger) open(records []byte) (kind byte, content, rest []byte) {
	f.Helper()
	const header = 5
	if len(records) < header {
		f.Fatalf("%d bytes of a record", len(records))
	}
	length := header + int(binary.BigEndian.Uint16(records[3:]))
	content, err := f.aead.Open(nil, f.next(), records[header:length], records[:header])
	if err != nil {
		f.Fatal(err)
	}
	last := len(content) - 1
	return content[last], content[:last], records[length:]
}

// expect reads records of which each is named by its type and content.
func (f *forger) expect(records []byte, want ...string) {
	f.Helper()
	for _, w := range want {
		kind, content, rest := f.open(records)
		if got := fmt.Sprintf("%d %x", kind, content); got != w {
			f.Fatalf("record %s, want %s", got, w)
		}
		records = rest
	}
	if len(records) > 0 {
		f.Fatalf("%d bytes behind what was expected", len(records))
	}
}

// keyUpdate is the message by which a side says that what follows is under its next key, and may ask the other for the same.
func keyUpdate(request bool) []byte {
	if request {
		return []byte{24, 0, 0, 1, 1}
	}
	return []byte{24, 0, 0, 1, 0}
}
