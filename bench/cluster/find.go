package cluster

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
)

// Addrs are where the replicas of a cluster are found, in the same order.
type Addrs struct {
	Client, Admin []string
	TLS           string // directory of the credentials of a client; empty: none are wanted
}

// Addrs returns where the replicas are found.
func (c *Cluster) Addrs() (a Addrs, err error) {
	s, err := c.State()
	if err != nil {
		return a, err
	}
	for _, m := range s.Members {
		a.Client, a.Admin = append(a.Client, m.Client), append(a.Admin, m.Admin)
	}
	if s.TLS {
		a.TLS = c.credentials(clientIdentity)
	}
	return a, nil
}

// FindAddrs returns the addresses of the cluster in a directory. Without one it is the cluster of DefaultDir, if that is
// up, or what would have the ports that people's clusters have.
func FindAddrs(dir string) (a Addrs, err error) {
	if dir != "" {
		c, err := Open(dir)
		if err != nil {
			return a, err
		}
		return c.Addrs()
	}
	usual, given, err := usualAddrs()
	if err != nil {
		return a, err
	}
	c, err := Open(DefaultDir())
	up := false
	if err == nil {
		up, err = c.Up()
	}
	if errors.Is(err, ErrNoCluster) || err == nil && !up {
		return usual, nil
	}
	if err != nil {
		return a, err
	}
	a, err = c.Addrs()
	if err == nil && given && !slices.Contains(a.Client, usual.Client[0]) {
		err = fmt.Errorf("the cluster in %s is at %v, and %s=%s: unset that, or name the other cluster by --addrs or --cluster", c.dir, a.Client,
			EnvPortBase, os.Getenv(EnvPortBase))
	}
	return a, err
}

// usualReplicas is how many replicas a cluster has unless more is known.
const usualReplicas = 3

// usualAddrs returns the addresses of people's clusters, and whether the environment says so.
func usualAddrs() (a Addrs, given bool, err error) {
	base, text := DefaultPortBase, os.Getenv(EnvPortBase)
	if text != "" {
		base, err = strconv.Atoi(text)
		if err = errors.Join(err, CheckPortBase(base)); err != nil {
			return a, true, fmt.Errorf("%s=%s: %w", EnvPortBase, text, err)
		}
	}
	for id := 1; id <= usualReplicas; id++ {
		a.Client, a.Admin = append(a.Client, loopback(base+id)), append(a.Admin, loopback(base+adminOffset+id))
	}
	return a, text != "", nil
}
