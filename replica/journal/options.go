package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"

	"paxosbench/wire"
)

// Durability says what Flush promises.
type Durability uint8

// Durabilities, weakest first.
const (
	// DurabilityNone keeps nothing: a restarted replica has forgotten what it voted (see Journal.Forgot).
	DurabilityNone Durability = iota
	// DurabilityOS hands records to the operating system: they survive the process, not the machine.
	DurabilityOS
	// DurabilityFsync waits until the disk has them.
	DurabilityFsync
)

var durabilityNames = []string{"none", "os", "fsync"}

// ParseDurability returns the durability called name: none, os or fsync.
func ParseDurability(name string) (Durability, error) {
	for i, n := range durabilityNames {
		if n == name {
			return Durability(i), nil
		}
	}
	return 0, fmt.Errorf("durability %q: want one of %s", name, strings.Join(durabilityNames, ", "))
}

// String returns the durability's name, as flags spell it.
func (d Durability) String() string {
	if int(d) < len(durabilityNames) {
		return durabilityNames[d]
	}
	return fmt.Sprintf("Durability(%d)", uint8(d))
}

// MarshalText implements encoding.TextMarshaler.
func (d Durability) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Durability) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDurability(string(text))
	return err
}

// Identity says whose journal it is. It is fixed when the data directory is created and checked whenever it is opened.
type Identity struct {
	Cluster    uint64         // names the cluster
	Replica    wire.ReplicaID // 1..wire.MaxReplicas
	ConfigHash uint64         // of everything that must be equal on all replicas
}

// Defaults of Options.
const (
	DefaultSegmentBytes    = 64 << 20
	DefaultRecycleSegments = 4
)

// Limits of Options.SegmentBytes. A segment holds its header and at least one group of one block.
const (
	MinSegmentBytes = 4 * BlockSize
	MaxSegmentBytes = 1 << 30
)

// Options configure a Journal.
type Options struct {
	FS         FS       // where Dir is; OSFS{} in a replica
	Dir        string   // the data directory; made if missing
	Identity   Identity // must be what the directory was created with
	Durability Durability

	// SegmentBytes is the size of a segment file: a multiple of BlockSize from MinSegmentBytes to MaxSegmentBytes;
	// 0: DefaultSegmentBytes. A record that does not fit into a whole segment makes that one segment longer.
	SegmentBytes int64

	// RecycleSegments bounds the segment files kept ready for use; what Truncate releases beyond is removed.
	// 0: DefaultRecycleSegments.
	RecycleSegments int

	// Bootstrap allows an empty directory: the replica is one of a new cluster and has never voted.
	// It has no effect on a directory with a journal in it.
	Bootstrap bool

	// Rejoin says that the replica lost its disk: an empty directory is allowed, and Journal.Forgot reports true until
	// Journal.Rejoined is called, however often the replica is restarted in between.
	Rejoin bool

	// Salt seeds the checksums of record headers in a directory that is being created, so that no client can make a
	// value that reads as a record. 0: drawn at random.
	Salt uint64

	// Logger receives what an operator should know: a torn tail that was cut, a segment that could not be recycled.
	// nil: discarded.
	Logger *slog.Logger
}

// withDefaults returns o with its zero fields filled in, or every violation at once.
func (o Options) withDefaults() (Options, error) {
	if o.SegmentBytes == 0 {
		o.SegmentBytes = DefaultSegmentBytes
	}
	if o.RecycleSegments == 0 {
		o.RecycleSegments = DefaultRecycleSegments
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	var errs []error
	violated := func(format string, args ...any) { errs = append(errs, fmt.Errorf("journal: "+format, args...)) }
	if o.FS == nil {
		violated("no file system")
	}
	if o.Dir == "" {
		violated("no data directory")
	}
	if o.Identity.Replica < 1 || o.Identity.Replica > wire.MaxReplicas {
		violated("replica id %d: want 1 to %d", o.Identity.Replica, wire.MaxReplicas)
	}
	if int(o.Durability) >= len(durabilityNames) {
		violated("durability %v: want one of %s", o.Durability, strings.Join(durabilityNames, ", "))
	}
	if o.SegmentBytes < MinSegmentBytes || o.SegmentBytes > MaxSegmentBytes || o.SegmentBytes%BlockSize != 0 {
		violated("segments of %d bytes: want a multiple of %d from %d to %d",
			o.SegmentBytes, BlockSize, MinSegmentBytes, MaxSegmentBytes)
	}
	if o.RecycleSegments < 0 {
		violated("%d segments to recycle: want at least 1", o.RecycleSegments)
	}
	if o.Bootstrap && o.Rejoin {
		violated("both bootstrap and rejoin: a replica of a new cluster has nothing to rejoin")
	}
	return o, errors.Join(errs...)
}

// A position in the longest segment (one oversized group behind the limit) must fit the index's 32 bits.
const _ uint = math.MaxUint32 - (MaxSegmentBytes + maxRecordSize + BlockSize)
