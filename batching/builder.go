// Package batching gathers fragments of commands into batches. A batch is built in the form in which it travels: a
// fragment joins it by being copied, and nothing is encoded again on the way to the journal, the followers and the
// state machine.
//
// A Policy says when a batch is full, and a full batch is due at once. What lets an underfull batch go is that the
// proposer has nothing else in flight, that its first command has waited for the linger, or, under the adaptive
// policy without linger, simply that the proposer asks: then the batch is as large as the load and the window make
// it, and no timer is needed at low load.
package batching

import (
	"fmt"
	"time"

	"paxosbench/wire"
	"paxosbench/wire/ring"
)

// Config describes a Builder.
type Config struct {
	// Policy says when a batch is full.
	Policy Policy
	// Linger is how long the first command of an underfull batch waits for others while slots are in flight. 0 means
	// no wait under the adaptive policy, and under count and bytes that only a full batch leaves while slots are in
	// flight. Policy none never has an underfull batch.
	Linger time.Duration
	// MaxBytes bounds a batch body, from 1 to wire.MaxBatch. Only a single command that is itself larger passes it.
	MaxBytes int
	// Buffers is where bodies come from. The builder shares it with its owner, on the owner's goroutine.
	Buffers *wire.Buffers
}

// Builder turns fragments into batches, in order. It belongs to one goroutine.
//
// Invariants: sealed batches are never empty; the open batch is older than none of them and is never full; Pending
// is the sum over all of them.
type Builder struct {
	cfg          Config
	fullCommands int // commands that make a batch full
	fullBytes    int // body bytes that make a batch full

	open   Batch         // Commands is 0 when nothing is open
	since  time.Duration // when the open batch got its first command
	sealed ring.Queue[Batch]

	// lastBytes is the body length of the batch sealed last and where the next body's capacity starts, so that under
	// steady load a body is not grown, hence not copied twice. A body's capacity is less than twice the longer of it
	// and its predecessor, so a log of batches never holds more than about four times its bytes.
	lastBytes int

	pendingCommands int
	pendingBytes    int
	freeSpans       [][]Span // as many as batches were ever out at once
}

// NewBuilder returns an empty Builder. It panics if cfg breaks the limits that its fields state.
func NewBuilder(cfg Config) *Builder {
	if cfg.MaxBytes < 1 || cfg.MaxBytes > wire.MaxBatch || cfg.Linger < 0 || cfg.Buffers == nil {
		panic(fmt.Sprintf("BUG: batching with at most %d bytes (limit %d), linger %v, buffers %p",
			cfg.MaxBytes, wire.MaxBatch, cfg.Linger, cfg.Buffers))
	}
	commands, bytes := cfg.Policy.thresholds()
	return &Builder{cfg: cfg, fullCommands: commands, fullBytes: bytes}
}

// Add copies a fragment behind everything added before. The fragment must have passed wire.DecodeFragment, with info
// as the result; it stays the caller's. now is the time since the process started.
func (b *Builder) Add(fragment []byte, info wire.FragmentInfo, origin Origin, now time.Duration) {
	b.pendingCommands += info.Commands
	if b.cfg.Policy.Kind == Adaptive && info.Commands > 0 && len(b.open.Body)+len(fragment) <= b.cfg.MaxBytes {
		b.reserve(len(fragment), now)
		b.open.add(fragment, info.Runs, info.Commands, origin)
		b.pendingBytes += len(fragment)
		return
	}
	for len(fragment) > 0 {
		run, n, err := wire.DecodeRun(fragment)
		if err != nil {
			panic(fmt.Sprintf("BUG: fragment added unchecked: %v", err))
		}
		b.addRun(&run, origin, now)
		fragment = fragment[n:]
	}
}

// addRun cuts a run into the parts that the batches have room for.
func (b *Builder) addRun(run *wire.Run, origin Origin, now time.Duration) {
	for run.Count > 0 {
		count, size := b.fitting(run)
		if count == 0 {
			b.seal(ReasonLimit)
			continue
		}
		b.addPart(run, count, size, origin, now)
		run.First += wire.Seq(count)
		run.Count -= count
		run.Commands = run.Commands[size:]
		if b.open.Commands >= b.fullCommands || len(b.open.Body) >= b.fullBytes {
			b.seal(ReasonFull)
		}
	}
}

// fitting returns how many of the run's commands join the open batch, and their bytes: up to and with the command
// that makes the batch full, but none that would pass MaxBytes. An empty batch takes at least one.
func (b *Builder) fitting(run *wire.Run) (count, size int) {
	start := len(b.open.Body) + run.HeaderLen()
	room, full := b.cfg.MaxBytes-start, b.fullBytes-start
	maxCount := min(run.Count, b.fullCommands-b.open.Commands)
	if maxCount == run.Count && len(run.Commands) <= min(room, full) {
		return run.Count, len(run.Commands)
	}
	for count < maxCount && size < max(full, 1) {
		n := run.CommandLen(size)
		if size+n > room && b.open.Commands+count > 0 {
			break
		}
		size += n
		count++
	}
	return count, size
}

// addPart appends the run's first count commands, size bytes, as a run of their own to the open batch.
func (b *Builder) addPart(run *wire.Run, count, size int, origin Origin, now time.Duration) {
	length := run.HeaderLen() + size
	b.reserve(length, now)
	b.open.Body = run.AppendHeader(b.open.Body, count, size)
	b.open.add(run.Commands[:size], 1, count, origin)
	b.pendingBytes += length
}

// reserve makes room for size more bytes in the open batch, and opens it if need be.
func (b *Builder) reserve(size int, now time.Duration) {
	if b.open.Commands == 0 {
		b.since = now
		b.open.Body = b.cfg.Buffers.Get(max(size, b.lastBytes))
		if n := len(b.freeSpans); n > 0 {
			b.open.Spans = b.freeSpans[n-1]
			b.freeSpans = b.freeSpans[:n-1]
		}
		return
	}
	b.open.Body = b.cfg.Buffers.Grow(b.open.Body, len(b.open.Body)+size)
}

// seal moves the open batch behind the sealed ones.
func (b *Builder) seal(reason Reason) {
	b.open.Reason = reason
	b.open.CRC = wire.Checksum(b.open.Body)
	b.lastBytes = len(b.open.Body)
	b.sealed.Push(b.open)
	b.open = Batch{}
}

// Next returns the oldest batch if it is due. The proposer calls it whenever the window has room; idle says that no
// slot is in flight. The caller owns the batch: its body until it is returned to Config.Buffers, its spans until
// Recycle.
func (b *Builder) Next(now time.Duration, idle bool) (Batch, bool) {
	if b.sealed.Len() == 0 {
		reason, due := b.due(now, idle)
		if !due {
			return Batch{}, false
		}
		b.seal(reason)
	}
	batch := b.sealed.Pop()
	b.pendingCommands -= batch.Commands
	b.pendingBytes -= len(batch.Body)
	return batch, true
}

// due says whether the open batch may leave although it is not full, and why.
func (b *Builder) due(now time.Duration, idle bool) (Reason, bool) {
	switch {
	case b.open.Commands == 0:
		return 0, false
	case idle:
		return ReasonIdle, true
	case b.cfg.Linger > 0:
		return ReasonLinger, now-b.since >= b.cfg.Linger
	default:
		return ReasonRoom, b.cfg.Policy.Kind == Adaptive
	}
}

// Deadline returns when the open batch becomes due by linger alone; false if nothing is open or nothing lingers. A
// driver needs its timer only while the window has room: without room nobody asks for the batch.
func (b *Builder) Deadline() (time.Duration, bool) {
	return b.since + b.cfg.Linger, b.open.Commands > 0 && b.cfg.Linger > 0
}

// Pending returns the commands and the body bytes that wait, in sealed batches and in the open one.
func (b *Builder) Pending() (commands, bytes int) { return b.pendingCommands, b.pendingBytes }

// Full reports whether the oldest batch that waits is full.
func (b *Builder) Full() bool { return b.sealed.Len() > 0 }

// Recycle takes the spans of a batch back, for the batches to come, and leaves the batch without them.
func (b *Builder) Recycle(batch *Batch) {
	if cap(batch.Spans) > 0 {
		b.freeSpans = append(b.freeSpans, batch.Spans[:0])
		batch.Spans = nil
	}
}

// Drop discards everything that waits, oldest first, for a proposer that has lost leadership. f, unless nil, sees
// each batch before it goes; it must keep neither body nor spans. Reason and CRC of the last one may be unset.
func (b *Builder) Drop(f func(Batch)) {
	if b.open.Commands > 0 {
		b.sealed.Push(b.open)
		b.open = Batch{}
	}
	for b.sealed.Len() > 0 {
		batch := b.sealed.Pop()
		if f != nil {
			f(batch)
		}
		b.cfg.Buffers.Put(batch.Body)
		b.Recycle(&batch)
	}
	b.pendingCommands, b.pendingBytes = 0, 0
}
