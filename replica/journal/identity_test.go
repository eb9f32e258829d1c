package journal_test

import (
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"paxosbench/replica/journal"
	"paxosbench/replica/journal/memfs"
	"paxosbench/wire"
)

var update = flag.Bool("update", false, "write the golden files anew")

const identityFile = dir + "/identity"

// openAs opens a directory and closes it again.
func openAs(t *testing.T, fs *memfs.FS, change func(*journal.Options), then ...func(*journal.Journal)) error {
	t.Helper()
	opts := options(fs)
	opts.Bootstrap = false
	change(&opts)
	j, err := openOnly(opts)
	if err != nil {
		return err
	}
	for _, f := range then {
		f(j)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return nil
}

func unchanged(*journal.Options) {}

func bootstrap(opts *journal.Options) { opts.Bootstrap = true }

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestGolden compares the bytes of a small data directory with those that have been put down.
func TestGolden(t *testing.T) {
	fs := memfs.New()
	opts := options(fs)
	opts.Lease = time.Second
	p := mustOpen(t, opts, &history{})
	noError(t, p.Meet(wire.Members(0).With(3), 0))
	p.group(t, promise(3), accept(1, "one"))
	p.group(t, fact{kind: wire.RecordChosen, ballot: wire.MakeBallot(3, 1), slot: 2, commit: 1})
	p.group(t, fact{kind: wire.RecordCommit, commit: 2}, fact{kind: wire.RecordInstalled, commit: 9})
	p.close(t)
	var text strings.Builder
	for _, file := range []string{identityFile, journal.SegmentPath(dir, 1)} {
		for off, data := 0, fs.Read(file); off < len(data); off += 32 {
			if line := data[off : off+32]; strings.Trim(string(line), "\x00") != "" {
				fmt.Fprintf(&text, "%s %5d %s\n", strings.TrimPrefix(file, dir+"/"), off, hex.EncodeToString(line))
			}
		}
	}
	const golden = "testdata/golden.txt"
	if *update {
		noError(t, os.WriteFile(golden, []byte(text.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	noError(t, err)
	if text.String() != string(want) {
		t.Errorf("the bytes have changed, so the format version must (-update writes them anew):\n%s", text.String())
	}
}

// TestIdentity starts a directory as another replica: what differs is named as the flag is, with both values.
func TestIdentity(t *testing.T) {
	fs := memfs.New()
	noError(t, openAs(t, fs, bootstrap))
	settings := func(quorum2 string) wire.Settings {
		return wire.MakeSettings(wire.Setting{Name: "quorum2", Value: quorum2})
	}
	for _, change := range []struct {
		change func(*journal.Identity)
		want   string
	}{
		{func(id *journal.Identity) { id.Cluster = 77 }, "cluster-id: the directory has 201, this start has 77"},
		{func(id *journal.Identity) { id.Replica = 3 }, "id: the directory has 2, this start has 3"},
		{func(id *journal.Identity) { id.Settings = settings("1") }, "quorum2: the directory has 2, this start has 1"},
		{func(id *journal.Identity) { id.Settings = nil }, "quorum2: the directory has 2, this start has no such setting"},
	} {
		for _, d := range []journal.Durability{journal.DurabilityFsync, journal.DurabilityNone} {
			err := openAs(t, fs, func(opts *journal.Options) { change.change(&opts.Identity); opts.Durability = d })
			var wrong *journal.IdentityError
			if !errors.As(err, &wrong) || !strings.Contains(err.Error(), change.want) {
				t.Errorf("%v, want %q", err, change.want)
			}
		}
	}
}

// TestFlippedBitOfIdentity flips every bit of the identity file: each is damage, at that byte, and not another version.
func TestFlippedBitOfIdentity(t *testing.T) {
	fs := memfs.New()
	noError(t, openAs(t, fs, bootstrap))
	for bit := range 8 * journal.BlockSize {
		if bit > 8*256 && bit%97 != 0 {
			continue // mostly zeros
		}
		damaged := fs.Restart()
		damaged.FlipBit(identityFile, int64(bit/8), uint(bit))
		wantCorrupt(t, damaged, identityFile, int64(bit/8))
	}
	for _, size := range []int{0, 1, journal.BlockSize - 1, journal.BlockSize + 1} {
		damaged := fs.Restart()
		damaged.Damage(identityFile, func(data []byte) []byte { return append(data, 0)[:size] })
		wantCorrupt(t, damaged, identityFile, int64(min(size, journal.BlockSize)))
	}
}

// TestUnreadableIdentity has the disk not give the file back: damage with its place. Other failures may pass.
func TestUnreadableIdentity(t *testing.T) {
	fs := memfs.New()
	noError(t, openAs(t, fs, bootstrap))
	for _, cause := range []error{syscall.EIO, syscall.EMFILE} {
		fs.SetHook(func(c memfs.Call) error {
			if c.Name == identityFile && (c.Op == memfs.OpRead || c.Op == memfs.OpOpen && cause == syscall.EMFILE) {
				return cause
			}
			return nil
		})
		err := openAs(t, fs, unchanged)
		var corrupt *journal.CorruptError
		if errors.As(err, &corrupt) != (cause == syscall.EIO) || !errors.Is(err, cause) || !strings.Contains(err.Error(), identityFile+" at offset 0") {
			t.Errorf("%v: %v", cause, err)
		}
	}
}

// TestOtherVersions checks that a directory of another format is refused as that, not as damage.
func TestOtherVersions(t *testing.T) {
	fs, p := threeSegments(t)
	p.close(t)
	half := journal.BlockSize / 2
	reseal := func(data []byte) {
		sum := wire.Checksum(data[8:])
		data[4], data[5], data[6], data[7] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
	}
	for _, tt := range []struct {
		file   string
		change func(data []byte)
		want   string
	}{
		{identityFile, func(data []byte) { data[8] = 5; reseal(data[:half]); copy(data[half:], data[:half]) }, "version 5, this program reads 3 and 4"},
		{identityFile, func(data []byte) { clear(data[half:]); data[8] = 1; reseal(data) }, "version 1, which this program does not read"},
		{journal.SegmentPath(dir, 1), func(data []byte) { data[8] = 2; reseal(data[:journal.SegmentHeaderSize]) }, "version 2, this program reads 3 and 4"},
	} {
		other := fs.Restart()
		other.Damage(tt.file, func(data []byte) []byte { tt.change(data); return data })
		err := openAs(t, other, unchanged)
		var corrupt *journal.CorruptError
		var version *journal.VersionError
		if errors.As(err, &corrupt) || !errors.As(err, &version) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.file, err, tt.want)
		}
	}
	older := fs.Restart()
	older.Damage(identityFile, func(data []byte) []byte {
		data[8] = 3
		reseal(data[:half])
		copy(data[half:], data[:half])
		return data
	})
	for number := range 3 {
		older.Damage(journal.SegmentPath(dir, uint32(number+1)), func(data []byte) []byte {
			data[8] = 3
			reseal(data[:journal.SegmentHeaderSize])
			return data
		})
	}
	noError(t, openAs(t, older, unchanged))
}

// TestFilesWithoutIdentity checks that a directory with files of a replica is never taken for a new one.
func TestFilesWithoutIdentity(t *testing.T) {
	for _, name := range []string{"00000001.seg", "00000007.seg", "snapshot-9", "damaged-20260102T150405Z"} {
		for _, flags := range []func(*journal.Options){unchanged, bootstrap, func(o *journal.Options) { o.Rejoin = true }} {
			fs := memfs.New()
			noError(t, fs.MkdirAll(dir))
			_, err := fs.Open(dir+"/"+name, journal.OpenCreate)
			noError(t, err)
			err = openAs(t, fs, flags)
			var corrupt *journal.CorruptError
			if !errors.As(err, &corrupt) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "--repair") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	fs := memfs.New()
	noError(t, fs.MkdirAll(dir))
	for _, name := range []string{"lost+found", "notes.txt", "lock", "identity.new"} {
		_, err := fs.Open(dir+"/"+name, journal.OpenCreate)
		noError(t, err)
	}
	noError(t, openAs(t, fs, bootstrap))
}

// TestClusterIsLearnt opens a directory that does not know its cluster yet.
func TestClusterIsLearnt(t *testing.T) {
	fs := memfs.New()
	unknown := func(o *journal.Options) { o.Identity.Cluster = 0 }
	noError(t, openAs(t, fs, func(o *journal.Options) { unknown(o); o.Bootstrap = true }, func(j *journal.Journal) {
		if j.Cluster() != 0 {
			t.Errorf("cluster %d", j.Cluster())
		}
		noError(t, j.SetCluster(5))
		if err := j.SetCluster(6); err == nil || !strings.Contains(err.Error(), "cluster 5, not 6") {
			t.Errorf("another cluster: %v", err)
		}
	}))
	fs = fs.Crash(0)
	noError(t, openAs(t, fs, unknown, func(j *journal.Journal) {
		if j.Cluster() != 5 {
			t.Errorf("cluster %d after a crash", j.Cluster())
		}
	}))
	if err := openAs(t, fs, unchanged); err == nil || !strings.Contains(err.Error(), "cluster-id: the directory has 5, this start has 201") {
		t.Errorf("another cluster: %v", err)
	}
}

// TestMet checks that who has been met stays so, over restarts and loss of power.
func TestMet(t *testing.T) {
	fs := memfs.New()
	noError(t, openAs(t, fs, bootstrap, func(j *journal.Journal) {
		for _, id := range []wire.ReplicaID{1, 7, 1} {
			noError(t, j.Meet(wire.Members(0).With(id), wire.Members(0).With(8-id)))
		}
		fs = fs.Crash(0)
	}))
	for range 2 {
		noError(t, openAs(t, fs, unchanged, func(j *journal.Journal) {
			for id := wire.ReplicaID(1); id <= wire.MaxReplicas; id++ {
				if met, by := j.Met(); met.Has(id) != (id == 1 || id == 7) || by.Has(id) != met.Has(8-id) {
					t.Errorf("replica %d has been met: %v, and has met this one: %v", id, met.Has(id), by.Has(id))
				}
			}
		}))
	}
}

// TestGrantedLease checks that a life knows how long leases of earlier ones may last.
func TestGrantedLease(t *testing.T) {
	fs := memfs.New()
	flags := bootstrap
	life := func(lease, want time.Duration, waited bool) {
		t.Helper()
		noError(t, openAs(t, fs, func(o *journal.Options) { flags(o); o.Lease = lease }, func(j *journal.Journal) {
			if j.GrantedLease() != want {
				t.Errorf("leases of %v have been granted, want %v", j.GrantedLease(), want)
			}
			if waited {
				noError(t, j.LeasesExpired())
			}
			fs = fs.Crash(0)
		}))
		flags = unchanged
	}
	life(3*time.Second, 0, true)
	life(0, 3*time.Second, false)
	life(time.Second, 3*time.Second, false) // nobody has waited
	life(5*time.Second, 3*time.Second, false)
	life(time.Second, 5*time.Second, true)
	life(0, time.Second, true)
	life(0, 0, false)
}

// A replica that rejoins does not pretend to be new: its directory has met everybody. That also goes for a directory that was
// made by a start with --bootstrap, as long as it does not know its cluster.
func TestRejoinHasMetEverybody(t *testing.T) {
	rejoin := func(o *journal.Options) { o.Rejoin, o.Identity.Cluster = true, 0 }
	unnamed := func(o *journal.Options) { o.Bootstrap, o.Identity.Cluster = true, 0 }
	named := func(o *journal.Options) { o.Bootstrap = true }
	for _, tt := range []struct {
		name      string
		first     func(*journal.Options)
		everybody bool
	}{{"at once", rejoin, true}, {"after a start without a cluster", unnamed, true}, {"after a start in a cluster", named, false}} {
		fs := memfs.New()
		noError(t, openAs(t, fs, tt.first))
		noError(t, openAs(t, fs, rejoin, func(j *journal.Journal) {
			met, by := j.Met()
			if met.Has(1) != tt.everybody || met.Has(wire.MaxReplicas) != tt.everybody || by != 0 || j.Amnesiac() != tt.everybody {
				t.Errorf("%s: met %b, by %b, amnesiac %v", tt.name, met, by, j.Amnesiac())
			}
		}))
	}
}
