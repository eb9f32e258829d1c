package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"paxosbench/wire"
)

// Durability says what Flush promises.
type Durability uint8

// Durabilities, weakest first.
const (
	// DurabilityNone keeps nothing: a restarted replica has forgotten what it voted (see Journal.Amnesiac). It takes a
	// directory in which nothing has been kept.
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
	Cluster  uint64         // names the cluster; 0: not known yet, any will do (see Journal.SetCluster)
	Replica  wire.ReplicaID // 1..wire.MaxReplicas
	Settings wire.Settings  // what stays equal for the life of the directory, by the names of the flags
}

// matches reports whether a directory of identity id may be used by a replica that is started as want.
func (id Identity) matches(want Identity) bool { return len(id.all(want).Diff(want.all(id))) == 0 }

// all returns everything in the identity as settings, without the cluster unless both sides know one.
func (id Identity) all(other Identity) wire.Settings {
	list := append(slices.Clone(id.Settings), wire.Setting{Name: "id", Value: strconv.Itoa(int(id.Replica))})
	if id.Cluster != 0 && other.Cluster != 0 {
		list = append(list, wire.Setting{Name: "cluster-id", Value: strconv.FormatUint(id.Cluster, 10)})
	}
	return wire.MakeSettings(list...)
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

	// RecycleSegments bounds the segment files kept ready for use, or two more than one Truncate releases if that is more; what is
	// released beyond is removed. 0: DefaultRecycleSegments.
	RecycleSegments int

	// Bootstrap allows an empty directory: the replica is one of a new cluster and has never voted.
	// It has no effect on a directory with an identity.
	Bootstrap bool

	// Rejoin says that the replica lost its disk: an empty directory is allowed, and Journal.Amnesiac reports true until
	// Journal.Rejoined is called, however often the replica is restarted in between. Like Bootstrap it has no effect on a
	// directory with an identity.
	Rejoin bool

	// AcceptLoss makes a replica that may have forgotten votes a voter again, with what it has. Nothing vouches for what
	// has been forgotten: commands that were acknowledged may be lost. It is obeyed once; if it is given at the next Open
	// too, it has no effect there.
	AcceptLoss bool

	// Lease is the longest lease that the replica may grant in this life, 0 if none.
	Lease time.Duration

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
	if n := len(wire.AppendSettings(nil, o.Identity.Settings)); n > MaxSettingsBytes {
		violated("settings of %d bytes: want at most %d", n, MaxSettingsBytes)
	}
	if o.Bootstrap && o.Rejoin {
		violated("both bootstrap and rejoin: a replica of a new cluster has nothing to rejoin")
	}
	return o, errors.Join(errs...)
}

// A position in the longest segment (one oversized group behind the limit) must fit the index's 32 bits.
const _ uint = math.MaxUint32 - (MaxSegmentBytes + maxRecordSize + BlockSize)
