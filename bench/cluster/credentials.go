package cluster

import (
	"errors"
	"path/filepath"

	"paxosbench/wire/secure"
	"paxosbench/wire/secure/authority"
)

// clientIdentity is who the load generator is.
var clientIdentity = secure.Identity{Role: secure.Client, Name: "loadgen"}

// credentials is the directory of the credentials of a replica or a client.
func (c *Cluster) credentials(id secure.Identity) string {
	return filepath.Join(c.path(tlsDir), string(id.Role)+"-"+id.Name)
}

// replicaCredentials is that of a replica.
func (c *Cluster) replicaCredentials(m *Member) string {
	return c.credentials(secure.ReplicaIdentity(int(m.ID)))
}

// issue makes an authority for this start of the cluster, and what it signs for each replica and for a client.
func (c *Cluster) issue(members []Member) error {
	trial, err := authority.New()
	if err != nil {
		return err
	}
	err = trial.Issue(clientIdentity, c.credentials(clientIdentity))
	for i := range members {
		err = errors.Join(err, trial.Issue(secure.ReplicaIdentity(int(members[i].ID)), c.replicaCredentials(&members[i])))
	}
	return err
}
