package journal

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

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
	if err := opts.FS.MkdirAll(opts.Dir); err != nil {
		return nil, fmt.Errorf("journal: data directory %s cannot be made: %w", opts.Dir, err)
	}
	lock, err := opts.FS.Lock(filepath.Join(opts.Dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("journal: data directory %s is in use or not writable: %w", opts.Dir, err)
	}
	j := &Journal{opts: opts, lock: lock}
	if err := j.open(replay); err != nil {
		return nil, errors.Join(err, j.writer.close(), lock.Close())
	}
	return j, nil
}

// checkNotEmpty refuses an empty directory unless opts allow one, before anything is made in it.
func checkNotEmpty(opts *Options) error {
	names, err := opts.FS.List(opts.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("journal: data directory %s cannot be read: %w", opts.Dir, err)
	}
	if opts.Bootstrap || opts.Rejoin || slices.Contains(names, identityName) {
		return nil
	}
	if slices.ContainsFunc(names, isSegment) {
		return &CorruptError{File: filepath.Join(opts.Dir, identityName), Reason: "missing, but there are segments"}
	}
	return fmt.Errorf("journal: %s: %w", opts.Dir, ErrEmpty)
}

func isSegment(name string) bool {
	_, ok := parseSegmentName(name)
	return ok
}

// open does Open once the directory is locked.
func (j *Journal) open(replay func(LSN, *wire.Record) error) error {
	id, found, err := readIdentity(j.opts.FS, j.opts.Dir)
	if err != nil {
		return err
	}
	if !found {
		id = identityFile{identity: j.opts.Identity, salt: newSalt(j.opts.Salt)}
	}
	if id.identity != j.opts.Identity {
		return &IdentityError{File: filepath.Join(j.opts.Dir, identityName), Got: id.identity, Want: j.opts.Identity}
	}
	j.id = id
	j.seed = wire.Checksum(binary.LittleEndian.AppendUint64(nil, id.salt))
	j.stage = stage{group: newGroup(), segmentBytes: j.opts.SegmentBytes, seed: j.seed}
	if j.opts.Durability != DurabilityNone {
		if err := j.openLog(replay); err != nil {
			return err
		}
	}
	return j.beginEpoch(found)
}

// openLog recovers the segments, or makes the first one.
func (j *Journal) openLog(replay func(LSN, *wire.Record) error) error {
	syncing := j.opts.Durability == DurabilityFsync
	j.pool = &pool{fs: j.opts.FS, dir: j.opts.Dir, size: j.opts.SegmentBytes, keep: j.opts.RecycleSegments, log: j.opts.Logger}
	if syncing {
		j.pool.direct = OpenDirect
	}
	r := recovery{opts: &j.opts, id: &j.id, seed: j.seed, replay: replay, index: &j.index, next: 1}
	if err := r.run(); err != nil {
		return err
	}
	j.pool.taken, j.pool.last = r.tail.segment, r.newest
	if r.newest == 0 {
		if err := j.pool.prepareThrough(1); err != nil {
			return err
		}
	}
	j.stage.segment, j.stage.offset = max(1, r.tail.segment), r.tail.offset
	j.stage.last, j.durable = r.next-1, r.next-1
	if syncing {
		j.id.synced = j.durable // replay has synced what it found
	}
	j.stage.promised = r.promised
	j.stage.syncing = syncing
	j.stage.header = segmentHeader{epoch: j.id.epoch + 1, identity: j.id.identity, salt: j.id.salt}
	j.writer = writer{pool: j.pool, syncing: syncing}
	j.spare = newGroup()
	return nil
}

// beginEpoch writes the identity file anew before anything else is written. The new epoch tells the records of this
// opening from what earlier ones may have left behind the place where the journal ends now.
func (j *Journal) beginEpoch(found bool) error {
	volatile := j.opts.Durability == DurabilityNone
	forgot := j.opts.Rejoin || found && (j.id.has(flagForgot) || j.id.has(flagVolatile) || volatile)
	j.id.epoch++
	j.id.set(flagForgot, forgot)
	j.id.set(flagVolatile, volatile)
	j.id.set(flagLogged, j.id.has(flagLogged) || !volatile)
	if err := writeIdentity(j.opts.FS, j.opts.Dir, &j.id); err != nil {
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
