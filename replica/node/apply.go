package node

import (
	"fmt"

	"paxosbench/batching"
	"paxosbench/replica/machine"
	"paxosbench/replica/paxos"
	"paxosbench/wire"
)

// roundValues bounds the answers that one round makes while it applies. No batch is begun once roundWork bytes of them have been
// made, and no value is given out beyond roundValues: its get is answered BUSY, and asked again.
const roundValues = 4 * roundWork

// applyWork is the default of Config.ApplyWork: about a millisecond's, in bytes of batches and applyCommand for each command. One
// batch may exceed it: the largest there is, of 4 MiB of the shortest commands, is half a million of them.
const (
	applyWork    = 1 << 20
	applyCommand = 64
)

// apply applies chosen batches in slot order, and answers those that this replica proposed, as far as there is time in this
// round: heartbeats must leave in time, whatever is chosen. It reports whether there were any.
func (n *Node) apply() (applied bool) {
	for n.err == nil && !n.caughtUp() {
		if n.work <= 0 || n.answered >= roundWork {
			n.unfinished = true
			break
		}
		slot := n.state.Applied() + 1
		e := n.core.Entry(slot)
		body, sum := n.unpack(slot, e)
		before := n.stats.CommandsApplied
		n.applyBatch(slot, body)
		n.state.EndBatch(slot, sum)
		n.work -= len(body) + applyCommand*int(n.stats.CommandsApplied-before)
		n.digests.note(slot, n.state.Digest())
		n.snapshots.since += len(e.Body) + batchOverhead
		n.stats.BatchesApplied++
		applied = true
	}
	return applied
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

// applyBatch applies the runs of one batch. The origins of a batch proposed by this replica are spans of runs; the runs
// of any other batch have nobody to answer here.
func (n *Node) applyBatch(slot wire.Slot, body []byte) {
	proposed := n.takeProposal(slot)
	for _, span := range proposed.Spans {
		body = n.applySpan(slot, body, span)
	}
	n.applySpan(slot, body, batching.Span{Runs: maxRuns})
	n.builder.Recycle(&proposed)
}

// maxRuns is more runs than a batch can hold.
const maxRuns = wire.MaxBatch

// replyFrameBytes is the default of Config.ReplyFrame, and the most: no reply begins behind it.
const replyFrameBytes = 1 << 20

// Even if the last reply is of the largest size, the replies must fit into a frame.
const _ uint = wire.MaxBody - (replyFrameBytes + wire.ReplyRunHeaderSize + wire.ResultHeaderSize + wire.MaxValue)

// applySpan applies runs from the front of body, and answers their origin if there is one, in as many frames as that
// takes. It returns the rest.
func (n *Node) applySpan(slot wire.Slot, body []byte, span batching.Span) []byte {
	a := answers{origin: span.Origin, kind: wire.TypeReply, limits: machine.Limits{Begin: n.cfg.ReplyFrame}}
	if a.origin != 0 {
		a.begin(n)
	}
	for ; span.Runs > 0 && len(body) > 0; span.Runs-- {
		run, size, err := wire.DecodeRun(body)
		if err != nil {
			panic("BUG: checked batch does not decode: " + err.Error())
		}
		n.stats.CommandsApplied += uint64(run.Count)
		n.applyRun(slot, &run, &a)
		body = body[size:]
	}
	a.end(n)
	return body
}

// applyRun applies a run, and begins another frame of replies whenever one is full.
func (n *Node) applyRun(slot wire.Slot, run *wire.Run, a *answers) {
	for run.Count > 0 {
		if a.full() {
			a.end(n)
			a.begin(n)
		}
		before := run.Count
		a.out = n.state.ApplyPart(slot, run, a.out, a.open, a.limits)
		a.count += before - run.Count
	}
}

// applyDirectly applies a fragment as it comes, as a batch of its own.
func (n *Node) applyDirectly(origin batching.Origin, fragment []byte, info wire.FragmentInfo) {
	slot := n.state.Applied() + 1
	n.applySpan(slot, fragment, batching.Span{Origin: origin, Runs: info.Runs})
	n.state.EndBatch(slot, wire.Checksum(fragment))
	n.stats.BatchesApplied++
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
