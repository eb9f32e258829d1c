package journal

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"paxosbench/wire"
)

// Open opens the journal in a data directory, or makes one if opts allow it, and replays every intact record in order.
// A segment header's promise is replayed too, as the record before the segment's first if that one is gone. Replayed
// records have been made durable again by the time Open returns. An error from replay aborts.
//
// Damage to what had been synced is a *CorruptError, another replica's directory an *IdentityError, an empty
// directory ErrEmpty.
func Open(opts Options, replay func(LSN, *wire.Record) error) (_ *Journal, err error) {
	opts, err = opts.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := checkNotEmpty(&opts); err != nil {
		return nil, err
	}
	lock, err := lockDirectory(&opts)
	if err != nil {
		return nil, err
	}
	j := &Journal{opts: opts, lock: lock}
	if err := j.open(replay); err != nil {
		return nil, errors.Join(err, j.writer.close(), lock.Close())
	}
	return j, nil
}

// lockDirectory makes the data directory, if it is missing, takes it, and removes what has been left half-made there.
func lockDirectory(opts *Options) (io.Closer, error) {
	if err := opts.FS.MkdirAll(opts.Dir); err != nil {
		return nil, fmt.Errorf("journal: data directory %s cannot be made: %w", opts.Dir, err)
	}
	lock, err := opts.FS.Lock(filepath.Join(opts.Dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("journal: data directory %s is in use or not writable: %w", opts.Dir, err)
	}
	if err := removeScratch(opts.FS, opts.Dir); err != nil {
		return nil, errors.Join(fmt.Errorf("journal: data directory %s: %w", opts.Dir, err), lock.Close())
	}
	return lock, nil
}

// checkNotEmpty refuses a directory without an identity, unless it is empty and opts allow that, before anything is made
// in it. A directory that holds files of a replica and has lost its identity is never taken for a new one.
func checkNotEmpty(opts *Options) error {
	names, err := opts.FS.List(opts.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("journal: data directory %s cannot be read: %w", opts.Dir, err)
	}
	if slices.Contains(names, identityName) {
		return nil
	}
	if i := slices.IndexFunc(names, isOurs); i >= 0 {
		return &CorruptError{File: filepath.Join(opts.Dir, identityName), Reason: "it is missing, but there is " + names[i]}
	}
	if opts.Bootstrap || opts.Rejoin {
		return nil
	}
	return fmt.Errorf("journal: %s: %w", opts.Dir, ErrEmpty)
}

// isOurs reports whether a file of this name in a data directory is a replica's. Others, of a mount point or of an
// operator, are left alone.
func isOurs(name string) bool {
	_, segment := parseSegmentName(name)
	return segment || name == identityName ||
		strings.HasPrefix(name, snapshotPrefix) || strings.HasPrefix(name, setAsidePrefix)
}

// Names in a data directory that package snapshot and Repair give.
const (
	snapshotPrefix = "snapshot-"
	setAsidePrefix = "damaged-"
)

// open does Open once the directory is locked.
func (j *Journal) open(replay func(LSN, *wire.Record) error) error {
	id, err := j.identify()
	if err != nil {
		return err
	}
	if err := j.admit(&id); err != nil {
		return err
	}
	j.rejoin(&id)
	if id.repairing() {
		if err := continueRepair(&j.opts, &id); err != nil {
			return err
		}
	}
	j.keeper = keeper{fs: j.opts.FS, dir: j.opts.Dir, id: id}
	j.granted = id.lease
	j.seed = wire.Checksum(binary.LittleEndian.AppendUint64(nil, id.salt))
	j.stage = stage{group: newGroup(), segmentBytes: j.opts.SegmentBytes, seed: j.seed}
	if j.opts.Durability != DurabilityNone {
		if err := j.openLog(&id, replay); err != nil {
			return err
		}
	}
	return j.beginEpoch(id)
}

// identify reads the identity, or makes one for an empty directory before anything else is made there.
func (j *Journal) identify() (identityFile, error) {
	id, found, _, err := readIdentity(j.opts.FS, j.opts.Dir)
	if found || err != nil {
		return id, err
	}
	id = identityFile{Identity: j.opts.Identity, salt: newSalt(j.opts.Salt), durability: j.opts.Durability}
	j.rejoin(&id)
	return id, j.write(&id)
}

// rejoin marks a directory that is made by a replica that rejoins; also one that was made under the impression that the
// replica is new, as long as it does not know its cluster: until then nothing has been voted.
func (j *Journal) rejoin(id *identityFile) {
	if j.opts.Rejoin && (id.epoch == 0 || id.Cluster == 0) {
		id.set(flagAmnesiac, true)
		id.met = everybody
	}
}

// admit checks that the directory is one that this start may use.
func (j *Journal) admit(id *identityFile) error {
	name := filepath.Join(j.opts.Dir, identityName)
	switch {
	case !id.matches(j.opts.Identity):
		return &IdentityError{File: name, Got: id.Identity, Want: j.opts.Identity}
	case id.diverged != 0 && !j.obeysAcceptLoss(id):
		return &DivergedError{File: name, Slot: id.diverged}
	case j.opts.Durability == DurabilityNone && id.has(flagLogged):
		return &DurabilityError{Dir: j.opts.Dir, Got: id.durability, Want: j.opts.Durability}
	}
	return nil
}

// openLog recovers the segments, or makes the first one.
func (j *Journal) openLog(id *identityFile, replay func(LSN, *wire.Record) error) error {
	syncing := j.opts.Durability == DurabilityFsync
	j.pool = &pool{fs: j.opts.FS, dir: j.opts.Dir, size: j.opts.SegmentBytes, least: j.opts.RecycleSegments, log: j.opts.Logger}
	if syncing {
		j.pool.direct = OpenDirect
	}
	r := recovery{opts: &j.opts, id: id, seed: j.seed, replay: replay, index: &j.index, next: 1}
	if err := r.run(); err != nil {
		return err
	}
	j.pool.taken, j.pool.last = r.tail.segment, r.newest
	if r.newest == 0 {
		if err := j.pool.first(); err != nil {
			return err
		}
	}
	j.stage.segment, j.stage.offset = max(1, r.tail.segment), r.tail.offset
	j.stage.last, j.durable = r.next-1, r.next-1
	if syncing {
		id.synced = j.durable // replay has synced what it found
	}
	j.stage.promised = r.promised
	j.stage.syncing = syncing
	j.stage.header = segmentHeader{epoch: id.epoch + 1, owner: id.owner()}
	j.writer = writer{pool: j.pool, syncing: syncing}
	j.spare = newGroup()
	return nil
}

// beginEpoch writes the identity file anew before anything else is written. The new epoch tells the records of this
// opening from what earlier ones may have left behind the place where the journal ends now.
func (j *Journal) beginEpoch(id identityFile) error {
	j.noteDurability(&id)
	j.acceptLoss(&id)
	if id.Cluster == 0 {
		id.Cluster = j.opts.Identity.Cluster
	}
	id.epoch++
	id.durability = j.opts.Durability
	id.lease = max(id.lease, j.opts.Lease)
	id.set(flagLogged, j.opts.Durability != DurabilityNone)
	j.amnesiac = id.has(flagAmnesiac)
	j.keeper.id = id
	return j.write(&id)
}

// noteDurability says what another durability than last time means.
func (j *Journal) noteDurability(id *identityFile) {
	if id.epoch == 0 || id.durability == j.opts.Durability {
		return
	}
	meaning := map[Durability]string{
		DurabilityOS:    "what is voted from now on does not survive a loss of power: after one this replica has lost its disk",
		DurabilityFsync: "what is voted from now on survives a loss of power",
		DurabilityNone:  "what is voted from now on does not survive the process",
	}
	j.opts.Logger.Warn("journal: another durability than last time: "+meaning[j.opts.Durability],
		"before", id.durability.String(), "now", j.opts.Durability.String())
}

// acceptLoss makes a voter again of a replica that has forgotten or diverged, if its operator wants that. The flag may have been left
// where it was given: what is forgotten in a life that began with it is not accepted by the next.
func (j *Journal) acceptLoss(id *identityFile) {
	obeys := j.obeysAcceptLoss(id)
	id.set(flagLossAccepted, j.opts.AcceptLoss)
	switch {
	case !j.opts.AcceptLoss:
	case !id.has(flagAmnesiac) && id.diverged == 0:
		j.opts.Logger.Warn("journal: accept-loss has no effect, this replica has forgotten nothing; take the flag away")
	case !obeys:
		j.opts.Logger.Error("journal: accept-loss has no effect, it was given at the last start too; " +
			"to accept another loss start once without it")
	default:
		j.opts.Logger.Error("journal: LOSS ACCEPTED: this replica votes again with what it has, although it may have forgotten "+
			"votes or its state may be wrong; commands that were acknowledged may be lost",
			"forgotten", id.has(flagAmnesiac), "diverged", uint64(id.diverged))
		id.set(flagAmnesiac, false)
		id.diverged = 0
	}
}

// obeysAcceptLoss reports whether the operator accepts the loss at this start and has not at the one before.
func (j *Journal) obeysAcceptLoss(id *identityFile) bool {
	return j.opts.AcceptLoss && !id.has(flagLossAccepted)
}

// write replaces the identity file.
func (j *Journal) write(id *identityFile) error {
	if err := writeIdentity(j.opts.FS, j.opts.Dir, id); err != nil {
		return fmt.Errorf("journal: data directory %s is not writable: %w", j.opts.Dir, err)
	}
	return nil
}

func newSalt(given uint64) uint64 {
	if given != 0 {
		return given
	}
	var b [8]byte
	rand.Read(b[:]) // never fails: crypto/rand
	return binary.LittleEndian.Uint64(b[:])
}
