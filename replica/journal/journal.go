// Package journal is the write-ahead log of an acceptor: what it has promised and accepted, on disk before it answers.
//
// Records are appended to memory and written in groups. One Flush writes everything appended since the last one with
// one write and one sync, so the cost of the disk is paid per group. A group begins and ends on a block boundary:
// nothing that has been synced is ever written again, so a torn write cannot damage it.
//
// The journal is a sequence of segment files of equal size, written with zeros beforehand and recycled when Truncate
// releases them. A segment's header carries the promise made before it, so old segments may go without it being lost.
//
// Reading order: record.go and header.go (the bytes), stage.go (places), writer.go (the disk), recover.go and
// evidence.go (what a restart believes, and why). docs/journal.md describes the format.
package journal

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"paxosbench/wire"
)

// Journal is an open write-ahead log.
//
// One goroutine, the owner, calls Append, Truncate, Close and the methods of life.go. Flush, Pending, ReadEntries,
// FirstSlot and Stats may be called from any goroutine. Nothing here starts a goroutine: see replica/storage for that.
type Journal struct {
	opts Options
	seed uint32 // of the checksums of record headers
	lock io.Closer

	keeper   keeper
	amnesiac bool          // the owner's
	granted  time.Duration // leases of earlier lives

	mu      sync.Mutex // guards what follows; held for one record or to swap groups, never during I/O
	stage   stage
	durable LSN
	err     error // final
	voted   bool  // a record that is in memory only is a vote
	stats   Stats
	wake    func() // has Maintain called elsewhere; nil: the journal calls it itself

	flushing sync.Mutex // held during a flush; guards what follows
	writer   writer
	spare    *group // changes places with the staged group
	marked   bool   // with DurabilityNone: the identity says that votes have been cast

	index index
	pool  *pool // nil with DurabilityNone
}

// Append stages a record and returns its LSN; the record is durable when Flush has returned an LSN not below it. It
// does no I/O, copies r.Body and trusts r.BodyCRC.
func (j *Journal) Append(r *wire.Record) LSN {
	check(r)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil || j.opts.Durability == DurabilityNone {
		j.voted = j.voted || r.Kind.IsVote()
		j.stage.last++ // numbered, and never durable after an error, at once without durability
		return j.stage.last
	}
	return j.stage.add(r)
}

// Pending reports whether anything has been appended that no Flush has begun to write.
func (j *Journal) Pending() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return !j.stage.group.empty() || j.opts.Durability == DurabilityNone && j.durable < j.stage.last
}

// Flush makes everything appended so far durable, on the calling goroutine, and returns the LSN up to which the journal
// is. An error is final: after a failed write or sync nobody knows what the disk holds, so every later Flush returns
// the same error and nothing more is written. The remedy is to exit and let a restart find out.
func (j *Journal) Flush() (LSN, error) {
	j.flushing.Lock()
	defer j.flushing.Unlock()
	return j.flush()
}

// TryFlush is Flush, unless another one is running: then it does nothing and ok is false.
func (j *Journal) TryFlush() (durable LSN, ok bool, err error) {
	if !j.flushing.TryLock() {
		return 0, false, nil
	}
	defer j.flushing.Unlock()
	durable, err = j.flush()
	return durable, true, err
}

// flush does Flush. The caller holds j.flushing.
func (j *Journal) flush() (LSN, error) {
	if j.opts.Durability == DurabilityNone {
		return j.flushNothing()
	}
	g, durable, err := j.take()
	if g == nil || err != nil {
		return durable, err
	}
	segment := j.writer.segment
	if err := j.writer.write(g); err != nil {
		return durable, j.fail(err)
	}
	j.index.add(g)
	durable = j.finish(g)
	g.reset()
	j.spare = g
	if hurry := j.pool.wrote(j.writer.end); hurry || j.writer.segment != segment {
		j.needMaintenance()
	}
	return durable, nil
}

// flushNothing is flush with DurabilityNone: all there is to write is that votes are being cast, once.
func (j *Journal) flushNothing() (LSN, error) {
	j.mu.Lock()
	last, voted, durable, err := j.stage.last, j.voted, j.durable, j.err
	j.mu.Unlock()
	if err != nil {
		return durable, err
	}
	if voted && !j.marked {
		if err := j.rememberVote(); err != nil {
			return durable, j.fail(err)
		}
		j.marked = true
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.durable = last
	return last, nil
}

// take takes the staged group to be written, nil if there is nothing to write.
func (j *Journal) take() (g *group, durable LSN, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return nil, j.durable, j.err
	}
	if j.stage.group.empty() {
		return nil, j.durable, nil
	}
	return j.stage.take(j.spare), j.durable, nil
}

// finish records that a group is durable.
func (j *Journal) finish(g *group) LSN {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.durable = g.last
	j.stats.Records += uint64(g.last - g.first + 1)
	j.stats.Flushes++
	j.stats.Syncs = j.writer.syncs
	j.stats.Bytes = j.writer.bytes
	return j.durable
}

// fail records the final error.
func (j *Journal) fail(err error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.err = fmt.Errorf("journal: no longer durable: %w", err)
	return j.err
}

// Truncate releases the segments that hold no slot above slot. The caller has made a snapshot that covers it durable.
// The newest promise stays. Never the newest segment.
func (j *Journal) Truncate(slot wire.Slot) {
	if released := j.index.drop(slot); len(released) > 0 {
		j.pool.release(released)
		j.needMaintenance()
	}
}

// needMaintenance has segment files prepared and recycled, here or elsewhere.
func (j *Journal) needMaintenance() {
	j.mu.Lock()
	wake := j.wake
	j.mu.Unlock()
	if wake == nil {
		wake = j.Maintain
	}
	wake()
}

// Maintain recycles segment files, and prepares the next one, or a part of it. Any goroutine may call it.
func (j *Journal) Maintain() {
	if j.pool != nil {
		j.pool.tend()
	}
}

// Preparing reports whether the next segment file is being prepared. Maintain does a part of that each time: it is to be
// called 512 times, evenly over some seconds.
func (j *Journal) Preparing() bool { return j.pool != nil && j.pool.preparing() }

// OnMaintenance has wake called when Maintain is due, or Maintain itself if it is nil. wake must not block; the
// goroutine that flushes calls it, and the owner.
func (j *Journal) OnMaintenance(wake func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.wake = wake
}

// FirstSlot returns the smallest slot that has a durable record, 0 if none has.
func (j *Journal) FirstSlot() wire.Slot { return j.index.first() }

// Close flushes what has been appended and releases the directory. After an orderly close, damage to any record at all
// is recognised at the next Open. It returns the error that Flush failed with, if it did.
func (j *Journal) Close() error {
	j.flushing.Lock()
	defer j.flushing.Unlock()
	durable, err := j.flush()
	if errors.Is(err, ErrClosed) {
		return err
	}
	err = errors.Join(err, j.writer.close())
	if j.pool != nil {
		j.pool.close()
	}
	if err == nil && j.opts.Durability == DurabilityFsync {
		err = j.keeper.update(func(f *identityFile) { f.synced = durable })
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.err = ErrClosed
	return errors.Join(err, j.lock.Close())
}
