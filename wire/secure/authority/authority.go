// Package authority makes certificates for trials: an authority that is forgotten as soon as it has signed what a cluster needs.
// Its own key is never written, so that nobody can make more of them.
package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"paxosbench/wire/secure"
)

// lifetime is how long certificates are valid: longer than any trial.
const lifetime = 30 * 24 * time.Hour

// Authority signs certificates.
type Authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

// New draws the key of an authority.
func New() (*Authority, error) {
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "paxosbench trial"}, IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	cert, err := sign(template, template, key.Public(), key)
	return &Authority{key, cert}, err
}

// Issue writes credentials for an identity into a directory, which it makes.
func (a *Authority) Issue(id secure.Identity, dir string) error {
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: string(id.Role) + " " + id.Name}, URIs: []*url.URL{id.URI()}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if id.Role == secure.Replica {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	cert, err := sign(template, a.cert, key.Public(), a.key)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(dir, 0o700),
		write(filepath.Join(dir, secure.AuthorityFile), "CERTIFICATE", a.cert.Raw),
		write(filepath.Join(dir, secure.CertificateFile), "CERTIFICATE", cert.Raw),
		write(filepath.Join(dir, secure.KeyFile), "PRIVATE KEY", secret))
}

// sign makes a certificate that is valid from a little ago on: clocks differ.
func sign(template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template.SerialNumber, template.NotBefore, template.NotAfter = serial, now.Add(-time.Hour), now.Add(lifetime)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// write replaces a file in one step: whoever reads it meanwhile has the old one or the new one.
func write(path, kind string, der []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // which nobody else may read
	if err != nil {
		return err
	}
	err = errors.Join(pem.Encode(file, &pem.Block{Type: kind, Bytes: der}), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}
