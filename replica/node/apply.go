package node

import (
	"fmt"
	"math"
	"time"

	"paxosbench/batching"
	"paxosbench/replica/machine"
	"paxosbench/replica/paxos"
	"paxosbench/wire"
)

// applyWork is the default of Config.ApplyWork: about a millisecond's, in bytes of batches and applyCommand for each command.
const (
	applyWork    = 1 << 20
	applyCommand = 64
)

// apply applies chosen batches in slot order, and answers those that this replica proposed, as far as there is time in this
// round: heartbeats must leave in time, whatever is chosen. It reports whether it has come to the end of any.
func (n *Node) apply() (applied bool) {
	for n.err == nil && !n.caughtUp() {
		if n.spent(0) {
			n.unfinished = true
			break
		}
		if n.begun.slot == 0 {
			n.beginBatch()
		}
		if n.applySome() {
			n.endBatch()
			applied = true
		}
	}
	return applied
}

// lag is for how long there has been something chosen that is not applied. Answers to gets may be thousands of times as long as the gets.
// Who asks for much through the log is served in its order, and others wait behind it: so when that has been for mostLag, a frame of answers
// has lagRoom for values, until everything is applied. A get for whose value there is no room is answered BUSY, and asked again.
type lag struct {
	behind bool          // something was left when the round before ended
	since  time.Duration // the round began after which something was left
	long   bool          // for mostLag and more
}

const (
	mostLag = 150 * time.Millisecond
	lagRoom = 4 << 10
)

// begin begins a round.
func (l *lag) begin(now time.Duration) {
	if !l.behind {
		l.since = now
	}
	l.long = now-l.since >= mostLag
}

// spent reports whether this round has done as much as it may, and more by so much: that many bytes of work, or roundWork of answers.
func (n *Node) spent(beyond int) bool { return n.work <= -beyond || n.answered >= roundWork }

// begun is the batch that is being applied. A round may end in the midst of it, as often as its length makes necessary: what has been
// chosen of the next slot is then in the state in part, and in no snapshot and no digest.
type begun struct {
	slot  wire.Slot      // 0: there is none
	sum   uint32         // that stands for it in the state's digest
	cost  int            // of its entry, for snapshots
	rest  []byte         // the runs that have not been begun
	run   wire.Run       // what is left of the one that has been
	batch batching.Batch // as this replica proposed it, empty if it did not
	next  int            // of batch.Spans
	span  batching.Span  // of the runs that come next, so many of them
}

// beginBatch begins the batch of the next slot. The origins of one that was proposed by this replica are spans of runs; the runs of
// any other have nobody to answer here.
func (n *Node) beginBatch() {
	slot := n.state.Applied() + 1
	e := n.core.Entry(slot)
	body, sum := n.unpack(slot, e)
	n.begun = begun{slot: slot, sum: sum, cost: len(e.Body) + batchOverhead, rest: body, batch: n.takeProposal(slot)}
}

// applySome applies what there is time for of the batch that has been begun, and reports whether that was all of it. A batch that is a
// little longer than a round may be is not taken in two.
func (n *Node) applySome() (whole bool) {
	for !n.begun.over() {
		if n.spent(n.cfg.ApplyWork) {
			return false
		}
		n.applySpan()
	}
	return true
}

// endBatch ends the batch that has been begun.
func (n *Node) endBatch() {
	b := &n.begun
	n.builder.Recycle(&b.batch)
	n.state.EndBatch(b.slot, b.sum)
	n.digests.note(b.slot, n.state.Digest())
	n.snapshots.since += b.cost
	n.stats.BatchesApplied++
	n.begun = begun{}
}

// over reports whether everything is applied.
func (b *begun) over() bool { return b.run.Count == 0 && len(b.rest) == 0 }

// turn turns to the next run, of the next span if need be, when the one before is over.
func (b *begun) turn() {
	if b.run.Count > 0 {
		return
	}
	for b.span.Runs == 0 {
		b.span = batching.Span{Runs: maxRuns}
		if b.next < len(b.batch.Spans) {
			b.span = b.batch.Spans[b.next]
			b.next++
		}
	}
	run, size, err := wire.DecodeRun(b.rest)
	if err != nil {
		panic("BUG: checked batch does not decode: " + err.Error())
	}
	b.run, b.rest = run, b.rest[size:]
	b.span.Runs--
}

// forget has nobody answered any more.
func (b *begun) forget() {
	b.span.Origin, b.next = 0, len(b.batch.Spans)
}

// caughtUp reports whether everything is applied that is known to be chosen. Until it is, nothing new is proposed: what is chosen
// and not applied would grow without bound.
func (n *Node) caughtUp() bool { return n.state.Applied() >= n.core.Commit() }

// unpack returns the batch of an entry as runs, and the checksum that stands for it in the state's digest. What is chosen and no
// batch is a no-op in all respects, on every replica: it says the same to all of them. What has been looked at when it came is
// not looked at again.
func (n *Node) unpack(slot wire.Slot, e *paxos.Entry) (runs []byte, sum uint32) {
	body, checked, err := e.Body, e.Checked, error(nil)
	if e.Codec != wire.CodecNone {
		if n.raw, err = n.compressor.AppendDecompressed(n.raw[:0], e.Codec, e.Body, int(e.RawLen)); err == nil {
			body = n.raw
		}
	}
	if err == nil && !checked {
		_, err = wire.DecodeFragment(body)
	}
	if err != nil {
		n.noteNotBatch(slot, err)
		return nil, wire.Checksum(nil)
	}
	return body, e.BodyCRC
}

// noteNotBatch says that what is chosen for a slot is no batch, and each time that so many have been seen as twice before.
func (n *Node) noteNotBatch(slot wire.Slot, err error) {
	n.stats.NotBatches++
	if seen := n.stats.NotBatches; seen&(seen-1) == 0 {
		n.driver.Warn(fmt.Sprintf("what is chosen for slot %d is no batch, and does nothing: %v (%d such slots so far). "+
			"A replica has proposed it that is broken, or is none", slot, err, seen))
	}
}

// maxRuns is more runs than a batch can hold.
const maxRuns = wire.MaxBatch

// replyFrameBytes is the default of Config.ReplyFrame, and the most: no reply begins behind it.
const replyFrameBytes = 1 << 20

// Even if the last reply is of the largest size, the replies must fit into a frame.
const _ uint = wire.MaxBody - (replyFrameBytes + wire.ReplyRunHeaderSize + wire.ResultHeaderSize + wire.MaxValue)

// applySpan applies runs of one origin, as far as there is time, and answers it if there is one, in as many frames as that takes.
func (n *Node) applySpan() {
	b := &n.begun
	b.turn()
	a := answers{origin: b.span.Origin, kind: wire.TypeReply, limits: machine.Limits{Begin: n.cfg.ReplyFrame}}
	if a.origin != 0 {
		a.begin(n)
	}
	for {
		n.applyRun(&a)
		if b.over() || n.spent(n.cfg.ApplyWork) || b.run.Count == 0 && b.span.Runs == 0 {
			break
		}
		b.turn()
	}
	a.end(n)
}

// applyRun applies what there is time for of a run, and begins another frame of replies whenever one is full.
func (n *Node) applyRun(a *answers) {
	run := &n.begun.run
	for run.Count > 0 && !n.spent(n.cfg.ApplyWork) {
		if a.full() {
			a.end(n)
			a.begin(n)
		}
		before, size := run.Count, len(run.Commands)
		a.limits.Commands = max(1, (n.work+n.cfg.ApplyWork)/applyCommand)
		a.out = n.state.ApplyPart(n.begun.slot, run, a.out, a.open, a.limits)
		done := before - run.Count
		a.count += done
		n.stats.CommandsApplied += uint64(done)
		n.work -= size - len(run.Commands) + applyCommand*done
	}
}

// applyDirectly applies a fragment as it comes, as a batch of its own, and all of it: nothing is chosen, and no peer waits for heartbeats.
func (n *Node) applyDirectly(origin batching.Origin, fragment []byte, info wire.FragmentInfo) {
	n.begun = begun{
		slot: n.state.Applied() + 1, sum: wire.Checksum(fragment), rest: fragment, span: batching.Span{Origin: origin, Runs: info.Runs},
	}
	for n.work, n.answered = math.MaxInt/2, 0; !n.applySome(); n.answered = 0 {
	}
	n.endBatch()
}

// proposal is a batch that this replica has proposed for a slot that is not applied yet: it says whom to answer.
type proposal struct {
	slot  wire.Slot
	batch batching.Batch
}

// takeProposal returns the batch proposed for the next slot to be applied, or an empty one if this replica did not propose
// it. Slots come and go in order.
func (n *Node) takeProposal(slot wire.Slot) batching.Batch {
	if n.proposals.Len() == 0 || n.proposals.At(0).slot != slot {
		return batching.Batch{}
	}
	return n.proposals.Pop().batch
}

// dropProposals forgets whom to answer: leadership was lost.
func (n *Node) dropProposals() {
	for n.proposals.Len() > 0 {
		batch := n.proposals.Pop().batch
		n.builder.Recycle(&batch)
	}
}
