package replica

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"paxosbench/replica/transport"
)

// descriptors is what a process may have open at a time, by what for. All of it has places of its own, so that none can
// take what another needs: a crowd of clients, or of visitors to the admin address, never costs the journal its next
// segment. The limit of the system has to hold them all, and is looked at once, at the start.
type descriptors struct {
	clients   int
	forwarded int // connections to the leader, for clients that are handed on
	peers     int // and what the event loop itself needs
	admin     int
	data      int
	process   int
}

const (
	// dataFiles is what the data directory may need at a time: its lock, the segment being written, the next one, one being
	// prepared and one being replayed, the identity, a snapshot being written and one being restored, and a directory being
	// synced for most of these.
	dataFiles = 16

	// maxReaders is how many files may be read for peers at a time.
	maxReaders = 16

	// processFiles is what every process needs: standard streams, the runtime's poller, name servers, profiles; and room for
	// what a library may open.
	processFiles = 32

	// leastForwarded is how many clients must be able to be handed on, if that many are allowed at all. With fewer places
	// than clients, those who find none are told where the leader is.
	leastForwarded = 1024
)

// descriptors returns what a configuration needs at least.
func (c *Config) descriptors() descriptors {
	d := descriptors{
		clients: c.MaxClients, peers: transport.OwnFiles, admin: maxAdminConns + 2, data: dataFiles + maxReaders, process: processFiles,
	}
	if c.TLS != "" {
		d.peers += transport.SecuredFiles
	}
	if c.Forward {
		d.forwarded = min(c.MaxClients, leastForwarded)
	}
	return d
}

func (d *descriptors) sum() int {
	return d.clients + d.forwarded + d.peers + d.admin + d.data + d.process
}

// String names the parts of the sum.
func (d *descriptors) String() string {
	parts := []string{fmt.Sprintf("%d for clients (max-clients)", d.clients)}
	if d.forwarded > 0 {
		parts = append(parts, fmt.Sprintf("%d for handing them on (forward)", d.forwarded))
	}
	return strings.Join(append(parts, fmt.Sprintf("%d for peers", d.peers), fmt.Sprintf("%d for admin connections", d.admin),
		fmt.Sprintf("%d for data", d.data), fmt.Sprintf("%d for the rest", d.process)), ", ")
}

// fit refuses a limit of open files that is too small, and gives what is left to clients that are handed on, up to all.
func (d *descriptors) fit(limit uint64, maxClients int) error {
	if need := uint64(d.sum()); limit < need {
		return fmt.Errorf("open files: the configuration needs %d: %v; the limit is %d: raise it (ulimit -n) or allow fewer clients (max-clients)",
			need, d, limit)
	}
	if d.forwarded > 0 {
		d.forwarded = int(min(uint64(maxClients), uint64(d.forwarded)+limit-uint64(d.sum())))
	}
	return nil
}

// reserve makes sure that the process may open all that the configuration allows, and returns how much that is. It raises
// the soft limit to the hard one.
func (c *Config) reserve() (descriptors, error) {
	d := c.descriptors()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return d, fmt.Errorf("open files: %w", err)
	}
	raised := unix.Rlimit{Cur: limit.Max, Max: limit.Max}
	if unix.Setrlimit(unix.RLIMIT_NOFILE, &raised) == nil {
		limit = raised
	}
	return d, d.fit(limit.Cur, c.MaxClients)
}
