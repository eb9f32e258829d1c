package secure

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Role is what the holder of a certificate may be.
type Role string

// Roles. Neither may take the place of the other.
const (
	Replica Role = "replica"
	Client  Role = "client"
)

// scheme is that of the URIs that name identities.
const scheme = "paxosbench"

// Identity is who a certificate says that its holder is.
type Identity struct {
	Role Role
	Name string // a replica's id, in decimal; what a client is called
}

// ReplicaIdentity is that of a replica.
func ReplicaIdentity(id int) Identity { return Identity{Replica, strconv.Itoa(id)} }

// URI returns the identity as it stands in a certificate.
func (i Identity) URI() *url.URL {
	return &url.URL{Scheme: scheme, Host: string(i.Role), Path: "/" + i.Name}
}

// String returns the URI.
func (i Identity) String() string { return i.URI().String() }

// nameForm is what a name may be: it stands in logs and in other programs' files.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// identify reads the identity that a certificate gives.
func identify(cert *x509.Certificate) (Identity, error) {
	var found []Identity
	for _, uri := range cert.URIs {
		if uri.Scheme != scheme {
			continue
		}
		id := Identity{Role(uri.Host), strings.TrimPrefix(uri.Path, "/")}
		known := id.Role == Client && nameForm.MatchString(id.Name) || id.Role == Replica && isReplicaID(id.Name)
		if !known || uri.String() != id.String() {
			return id, fmt.Errorf("the certificate names %q: want %s://replica/ID or %s://client/NAME", uri, scheme, scheme)
		}
		found = append(found, id)
	}
	if len(found) != 1 {
		return Identity{}, fmt.Errorf("the certificate has %d names of this kind: want one URI among its alternative names, %s://replica/ID or %s://client/NAME",
			len(found), scheme, scheme)
	}
	return found[0], nil
}

func isReplicaID(name string) bool {
	n, err := strconv.ParseUint(name, 10, 8)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == name
}
