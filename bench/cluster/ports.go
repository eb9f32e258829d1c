package cluster

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
)

// block is a range of ports that belongs to one cluster while claim is open. Ports that are merely free at the moment
// would not do: two clusters that start at the same time would find the same ones, and the replicas of one would end up
// behind the addresses of the other.
type block struct {
	first int
	claim net.Listener // on the first port
}

// claimBlock claims the first block from base on that nobody has claimed, and whose ports are free.
func claimBlock(base, ports int) (*block, error) {
	for first := base; first+portBlock <= base+portRange; first += portBlock {
		claim, err := net.Listen("tcp", loopback(first))
		if err != nil {
			continue // claimed
		}
		b := &block{first, claim}
		if b.free(ports) {
			return b, nil
		}
		if err := b.release(); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: ports are in use in every %d in a row from %d to %d, by other clusters or other programs: choose another --port-base",
		ErrNoPorts, portBlock, base, base+portRange-1)
}

// ErrNoPorts is the error of a cluster for which there are no ports.
var ErrNoPorts = errors.New("no ports")

// checkFree refuses ports that something listens on.
func checkFree(members []Member, base int) error {
	for _, m := range members {
		for _, addr := range []string{m.Client, m.Peer, m.Admin} {
			listener, err := net.Listen("tcp", addr)
			if err != nil {
				_, port, _ := net.SplitHostPort(addr)
				return refused("port %s is in use; another cluster may be up (scripts/cluster.sh down), or choose other ports and another directory: %s=%d %s=... scripts/cluster.sh up",
					port, EnvPortBase, base+1000, EnvState)
			}
			if err := listener.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}

// CheckPorts fails if no cluster could find its ports from base on, as things stand.
func CheckPorts(base int) error {
	if err := CheckPortBase(base); err != nil {
		return err
	}
	b, err := claimBlock(base, 3*MaxReplicas)
	if err != nil {
		return err
	}
	return b.release()
}

// portsTaken tells whether a replica could not start because something, such as the local end of an outgoing connection,
// has taken its port since the block was found free.
func portsTaken(err error) bool { return strings.Contains(err.Error(), syscall.EADDRINUSE.Error()) }

// free tells whether nobody listens on the ports that will be used.
func (b *block) free(ports int) bool {
	for i := 1; i <= ports; i++ {
		listener, err := net.Listen("tcp", b.addr(i))
		if err != nil || listener.Close() != nil {
			return false
		}
	}
	return true
}

// addr returns the address of a port of the block; 0 is the one that claims it.
func (b *block) addr(i int) string { return loopback(b.first + i) }

func (b *block) release() error { return b.claim.Close() }

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
