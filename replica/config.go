package replica

import (
	crypto "crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"paxosbench/batching"
	"paxosbench/pipeline"
	"paxosbench/replica/journal"
	"paxosbench/replica/machine"
	"paxosbench/replica/node"
	"paxosbench/replica/paxos"
	"paxosbench/replica/snapshot"
	"paxosbench/replica/storage"
	"paxosbench/replica/transport"
	"paxosbench/wire"
	"paxosbench/wire/compress"
)

// Config describes a replica. The tags are the command line of cmd/replica; the same names are the keys of its
// configuration file and the axes of benchmark suites. The zero value is not useful:
// start from Default, set ID and Members, and what else is to differ.
type Config struct {
	ID         wire.ReplicaID `name:"id" required:"" help:"This replica's id, 1 to 7."`
	Members    []Member       `name:"member" required:"" sep:"none" placeholder:"ID=PEER,CLIENT" help:"A replica of the cluster, this one included: its id, its address for peers and its address for clients. Repeat for each."`
	ClusterID  uint64         `name:"cluster-id" default:"0" help:"Number that names the cluster; replicas and clients of another one are refused. 0: what the data directory says; a new cluster draws one at random, once its members have found each other."`
	Data       string         `name:"data" default:"data" placeholder:"DIR" help:"Data directory. One per replica; never copy or share it."`
	Bootstrap  bool           `name:"bootstrap" help:"Allow an empty data directory: the first start of a new cluster. No effect on a directory that has been used."`
	Rejoin     bool           `name:"rejoin" help:"Allow an empty data directory: this replica has lost its disk. It learns from the others, and votes again once it knows up to where it may have voted. No effect on a directory that has been used."`
	Repair     bool           `name:"repair" help:"If the data is damaged, or this replica has stopped because it differs from the others, set it aside in DIR/damaged-TIME and go on as with --rejoin. Without it such a replica does not start. No effect on good data."`
	AcceptLoss bool           `name:"accept-loss" help:"Have this replica vote again with what it has, although it may have forgotten votes: for when too many have forgotten for the rest to let them vote again. What was acknowledged by those who have forgotten may be lost. Start as few with it as a quorum lacks: those that have forgotten nothing must be in every quorum. Obeyed once, take it away afterwards; no effect on a replica that has forgotten nothing."`
	TLS        string         `name:"tls" default:"" placeholder:"DIR" help:"Directory with ca.crt, tls.crt and tls.key, as docs/security.md describes: clients and replicas prove who they are, and what passes is encrypted. All replicas of a cluster, or none. The files are read again when they change. Empty: whoever connects is believed."`
	Exposed    bool           `name:"insecure-listen" help:"Without --tls, listen at addresses that are not loopback. Whoever reaches them owns the cluster."`
	Admin      string         `name:"admin" default:"" placeholder:"ADDR" help:"Address for /status and /metrics, on loopback. Empty: none."`
	Pprof      bool           `name:"pprof" help:"Serve /debug/pprof/ on the admin address."`

	Durability journal.Durability `name:"durability" default:"fsync" help:"What a reply means: none (in memory on a quorum), os (handed to the operating system), fsync (synced to disk on a quorum). Equal on all replicas."`

	Batch      batching.Policy `name:"batch" default:"adaptive" help:"When a batch leaves: none (each command alone), count:N, bytes:N, adaptive (what has gathered when the window has room)."`
	Linger     time.Duration   `name:"linger" default:"0s" help:"How long the first command of an underfull batch waits for others while slots are in flight."`
	BatchBytes Bytes           `name:"batch-bytes" default:"1MiB" help:"Largest batch, up to 4MiB."`

	Pipeline      pipeline.Depth `name:"pipeline" default:"adaptive" help:"Slots in flight: N (up to 4096) or adaptive."`
	PipelineBytes Bytes          `name:"pipeline-bytes" default:"16MiB" help:"Bytes of batches in flight."`

	Compress string `name:"compress" default:"none" help:"Compression of batches on the wire and in the journal: none, s2, zstd."`

	Quorum2 int        `name:"quorum2" default:"0" help:"Acceptors that must accept a batch, the leader included. 0: a majority. Phase 1 then needs replicas-quorum2+1."`
	Reads   wire.Reads `name:"reads" default:"log" help:"How gets are served: log (as commands), index (by the leader after a leadership round that all waiting gets share), lease (by the leader at once while the others have promised to elect nobody; no clock may run more than a ninth faster than another). Equal on all replicas, as is --election-timeout with lease."`

	Machine machine.Kind `name:"machine" default:"kv" help:"State machine: kv (a key-value store) or noop (answers OK)."`

	Unreplicated bool `name:"unreplicated" help:"Apply and answer without replication or journal: the bound to measure against. One member only."`

	Heartbeat       time.Duration `name:"heartbeat" default:"50ms" help:"The leader's heartbeat interval."`
	ElectionTimeout time.Duration `name:"election-timeout" default:"500ms" help:"Silence, plus up to as much again at random, after which a follower asks for votes."`

	Forward      bool          `name:"forward" help:"Hand clients that connect while another replica leads on to that one, instead of telling them its address: for clients that cannot reach every replica."`
	ClientWindow int           `name:"client-window" default:"65536" help:"Commands that one client connection may have in flight; more are answered with BUSY."`
	MaxClients   int           `name:"max-clients" default:"10000" help:"Client connections; more are refused, unless one that is idle can give way: see --client-idle."`
	ClientIdle   time.Duration `name:"client-idle" default:"15m" help:"How long a client connection may be without a command in flight and without a byte from the client before it is closed. Where all --max-clients places are taken, one that has been idle for a second gives way, the longest idle first. 0s: no limit but that."`
	MaxSessions  uint32        `name:"max-sessions" default:"65536" help:"Client sessions, up to 1048576. When a new one needs the place, that of one goes which has done nothing for a minute, or nothing at all, the least recently active first; otherwise it is refused for now. Equal on all replicas."`
	StoreLimit   Bytes         `name:"store-limit" default:"4GiB" help:"What the records may weigh: keys and values, each rounded up to 8 bytes, and 64 bytes for each record. A write beyond it is refused (full); gets and deletes go on. 0: no limit. Equal on all replicas."`

	Memory       Bytes `name:"memory" default:"0" help:"Bytes that clients and peers may make this process hold, with what the garbage collector leaves lying: what has arrived of frames, requests and queries that wait, answers that are not taken, what waits for peers, and buffers. 0: an eighth of what the machine or the control group has. At least 256MiB. The store, the sessions, --log-bytes and --pipeline-bytes come on top."`
	LogBytes     Bytes `name:"log-bytes" default:"64MiB" help:"Chosen batches kept in memory for peers that lag."`
	SegmentBytes Bytes `name:"segment-bytes" default:"64MiB" help:"Size of a journal segment, 8MiB to 1GiB."`

	SnapshotBytes Bytes `name:"snapshot-bytes" default:"256MiB" help:"Log applied between two snapshots, after each of which the journal is cut; as much as the newest one is long if that is more. 0: a snapshot is only taken when a lagging peer needs one, as always without durability."`

	// Version says what the program was built from, in /status. It is no setting.
	Version any `kong:"-"`

	// OwnProcess says that the replica has the process for itself: it sets how large the heap may become, and its event loop keeps one of the
	// runtime's processors also while it waits, of which there have to be two. It is no setting either.
	OwnProcess bool `kong:"-"`
}

// Member is one replica of the cluster as all its replicas know it.
type Member struct {
	ID     wire.ReplicaID
	Peer   string // address for peers, host:port
	Client string // address for clients, host:port
}

// UnmarshalText parses ID=PEER,CLIENT.
func (m *Member) UnmarshalText(text []byte) error {
	id, addrs, ok := strings.Cut(string(text), "=")
	peer, client, ok2 := strings.Cut(addrs, ",")
	n, err := strconv.ParseUint(id, 10, 8)
	if !ok || !ok2 || err != nil {
		return fmt.Errorf("member %q: want ID=PEER,CLIENT, for example 1=127.0.0.1:7101,127.0.0.1:7001", text)
	}
	*m = Member{ID: wire.ReplicaID(n), Peer: peer, Client: client}
	return nil
}

// MarshalText is the inverse of UnmarshalText.
func (m Member) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%d=%s,%s", m.ID, m.Peer, m.Client), nil
}

// Bytes is a size that is written as 64MiB or 65536.
type Bytes int

// UnmarshalText parses a size.
func (b *Bytes) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	if err != nil || n > 1<<40 {
		return fmt.Errorf("size %q: want bytes like 65536, 64KiB or 1MiB", text)
	}
	*b = Bytes(n)
	return nil
}

// MarshalText writes the size in bytes.
func (b Bytes) MarshalText() ([]byte, error) { return strconv.AppendInt(nil, int64(b), 10), nil }

// MarshalJSON writes the configuration with the names and the spelling of the flags, so that what a result records can be
// given back to a replica.
func (c *Config) MarshalJSON() ([]byte, error) {
	values := map[string]any{}
	for s := range settings(c) {
		value := s.value.Interface()
		if d, ok := value.(time.Duration); ok {
			value = d.String()
		}
		values[s.name] = value
	}
	return json.Marshal(values)
}

// exposedAt lists the addresses of this replica that others than this host may reach, if nobody proves there who they are.
func (c *Config) exposedAt() (addrs []string) {
	self := c.self()
	own := []string{self.Client}
	if len(c.Members) > 1 {
		own = append(own, self.Peer)
	}
	for _, addr := range own {
		if c.TLS == "" && addr != "" && !isLoopback(addr) {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

// self returns this replica's member entry.
func (c *Config) self() Member { return c.member(c.ID) }

// member returns the entry of a replica, or an empty one.
func (c *Config) member(id wire.ReplicaID) Member {
	for _, m := range c.Members {
		if m.ID == id {
			return m
		}
	}
	return Member{}
}

func (c *Config) ids() []wire.ReplicaID {
	var ids []wire.ReplicaID
	for _, m := range c.Members {
		ids = append(ids, m.ID)
	}
	slices.Sort(ids)
	return ids
}

func (c *Config) quorum2() int {
	if c.Quorum2 == 0 {
		return paxos.Majority(len(c.Members))
	}
	return c.Quorum2
}

// quorum1 returns how many replicas elect a leader.
func (c *Config) quorum1() int { return len(c.Members) - c.quorum2() + 1 }

func (c *Config) state() machine.Config {
	return machine.Config{MaxSessions: c.MaxSessions, ActiveFor: machine.DefaultConfig().ActiveFor, StoreLimit: uint64(c.StoreLimit)}
}

// leases reports whether replicas grant the leader leases.
func (c *Config) leases() bool { return c.Reads == wire.ReadsLease }

// node derives the configuration of the node from that of the replica, which must be valid.
func (c *Config) node(seed uint64, buffers *wire.Buffers) node.Config {
	codec, err := compress.ParseCodec(c.Compress)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return node.Config{
		Paxos: paxos.Config{
			Self: c.ID, Replicas: c.ids(), Quorum1: c.quorum1(), Quorum2: c.quorum2(),
			Heartbeat: c.Heartbeat, ElectionTimeout: c.ElectionTimeout,
			Depth: c.Pipeline, WindowBytes: int(c.PipelineBytes), LogBytes: int(c.LogBytes), PinBytes: c.pinBytes(),
			Leases: c.leases(), Seed: seed, Buffers: buffers,
		},
		Batching:      batching.Config{Policy: c.Batch, Linger: c.Linger, MaxBytes: int(c.BatchBytes)},
		Codec:         codec,
		Machine:       c.Machine,
		State:         c.state(),
		Identity:      c.snapshotIdentity(),
		SnapshotBytes: c.snapshotBytes(),
		Reads:         c.Reads,
		ClientWindow:  c.ClientWindow,
		Volatile:      c.Durability == journal.DurabilityNone,
		Unreplicated:  c.Unreplicated,
		Owners:        c.TLS != "",
		Random:        newRandom(),
		PendingBytes:  c.memoryParts().pending,
	}
}

// newRandom returns a source of numbers that nobody can guess who has not seen its seed.
func newRandom() func() uint64 {
	var seed [32]byte
	_, _ = crypto.Read(seed[:]) // never fails
	return rand.NewChaCha8(seed).Uint64
}

// pinnedSnapshots is how much longer than usual a snapshot waits while a peer needs what it would release: with the default of
// --snapshot-bytes for a GiB. A disk that is large enough without is so with a lagging peer, up to that factor.
const pinnedSnapshots = 4

// pinBytes is how much more than usual is kept for a peer that would otherwise be left behind: of the journal, or of the
// memory where there is none.
func (c *Config) pinBytes() int {
	if c.Durability == journal.DurabilityNone {
		return c.memoryParts().pinned
	}
	return pinnedSnapshots * c.snapshotBytes()
}

// storage derives the configuration of the storage.
func (c *Config) storage(log *slog.Logger) storage.Config {
	return storage.Config{
		Journal: journal.Options{
			FS: journal.OSFS{}, Dir: c.Data, Durability: c.Durability,
			Identity:     journal.Identity{Cluster: c.ClusterID, Replica: c.ID, Settings: c.Agreement().Lasting()},
			SegmentBytes: int64(c.SegmentBytes), RecycleSegments: c.recycleSegments(),
			Bootstrap: c.Bootstrap, Rejoin: c.Rejoin, AcceptLoss: c.AcceptLoss, Lease: c.Agreement().Lease, Logger: log,
		},
		Snapshots: c.snapshotIdentity(),
	}
}

// transport derives the configuration of the transport.
func (c *Config) transport(incarnation uint64, buffers *wire.Buffers, log *slog.Logger) transport.Config {
	peers := make(map[wire.ReplicaID]string)
	for _, m := range c.Members {
		if m.ID != c.ID {
			peers[m.ID] = m.Peer
		}
	}
	parts := c.memoryParts()
	tc := transport.Config{
		Self: c.ID, Settings: c.Agreement().Settings(), Incarnation: incarnation,
		ClientAddr: c.self().Client, Peers: peers, IdleTimeout: c.ClientIdle, Buffers: buffers, Logger: log, OwnProcess: c.OwnProcess,
		MaxPartial: parts.partial, MaxUnread: parts.unread, MaxKept: parts.outs, MaxRelayed: parts.relayed, MaxPeerOutbound: parts.peer,
	}
	if len(peers) > 0 {
		tc.PeerAddr = c.self().Peer
	}
	return tc
}

// snapshotBytes returns how much log is applied between two snapshots. Without a journal there is nothing to cut.
func (c *Config) snapshotBytes() int {
	if c.Durability == journal.DurabilityNone || c.Unreplicated {
		return 0
	}
	return int(c.SnapshotBytes)
}

// recycleSegments returns how many segment files are kept for use again: as many as one snapshot releases.
func (c *Config) recycleSegments() int { return c.snapshotBytes()/int(c.SegmentBytes) + 2 }

func (c *Config) snapshotIdentity() snapshot.Identity {
	return snapshot.Identity{Cluster: c.ClusterID, Settings: c.Agreement().Lasting().Hash()}
}
