package node

import (
	"paxosbench/batching"
	"paxosbench/replica/paxos"
	"paxosbench/wire"
)

// apply applies chosen batches in slot order, and answers those that this replica proposed. It reports whether there
// were any.
func (n *Node) apply() (applied bool) {
	for n.err == nil && n.state.Applied() < n.core.Commit() {
		slot := n.state.Applied() + 1
		e := n.core.Entry(slot)
		if body, ok := n.unpack(slot, e); ok {
			n.applyBatch(slot, body)
			n.state.EndBatch(slot, e.BodyCRC)
			n.snapshots.since += len(e.Body) + batchOverhead
			n.stats.BatchesApplied++
		}
		applied = true
	}
	return applied
}

// unpack returns the batch of an entry as runs.
func (n *Node) unpack(slot wire.Slot, e *paxos.Entry) ([]byte, bool) {
	if e.Codec == wire.CodecNone {
		return e.Body, true
	}
	raw, err := n.compressor.AppendDecompressed(n.raw[:0], e.Codec, e.Body, int(e.RawLen))
	if err != nil {
		n.fail("chosen batch of slot %d: %w", slot, err)
		return nil, false
	}
	n.raw = raw
	return raw, true
}

// applyBatch applies the runs of one batch. The origins of a batch proposed by this replica are spans of runs; the runs
// of any other batch have nobody to answer here.
func (n *Node) applyBatch(slot wire.Slot, body []byte) {
	proposal := n.proposals.take(slot)
	for _, span := range proposal.Spans {
		body = n.applySpan(slot, body, span)
	}
	n.applySpan(slot, body, batching.Span{Runs: maxRuns})
	n.builder.Recycle(&proposal)
}

// maxRuns is more runs than a batch can hold.
const maxRuns = wire.MaxBatch

// applySpan applies runs from the front of body, and answers their origin if there is one. It returns the rest.
func (n *Node) applySpan(slot wire.Slot, body []byte, span batching.Span) []byte {
	var replies []byte
	if span.Origin != 0 {
		replies = n.env.Replies(span.Origin)
	}
	answer, commands := replies != nil, 0
	for ; span.Runs > 0 && len(body) > 0; span.Runs-- {
		run, size, err := wire.DecodeRun(body)
		if err != nil {
			n.fail("chosen batch of slot %d: %w", slot, err)
			break
		}
		replies = n.state.ApplyRun(slot, &run, replies, answer)
		commands += run.Count
		body = body[size:]
	}
	n.stats.CommandsApplied += uint64(commands)
	if answer {
		n.env.Answered(span.Origin, replies, commands)
	}
	return body
}

// applyDirectly applies a fragment as it comes, as a batch of its own.
func (n *Node) applyDirectly(origin batching.Origin, fragment []byte, info wire.FragmentInfo) {
	slot := n.state.Applied() + 1
	n.applySpan(slot, fragment, batching.Span{Origin: origin, Runs: info.Runs})
	n.state.EndBatch(slot, wire.Checksum(fragment))
	n.stats.BatchesApplied++
}

// proposals remembers, for each slot that this replica has proposed and that is not applied yet, whom to answer. Slots
// come and go in order.
type proposals struct {
	queue []proposal
	head  int
}

type proposal struct {
	slot  wire.Slot
	batch batching.Batch
}

func (p *proposals) push(slot wire.Slot, batch batching.Batch) {
	if p.head > len(p.queue)/2 {
		p.queue, p.head = p.queue[:copy(p.queue, p.queue[p.head:])], 0
	}
	p.queue = append(p.queue, proposal{slot, batch})
}

// take returns the batch proposed for slot, or an empty one if this replica did not propose it.
func (p *proposals) take(slot wire.Slot) batching.Batch {
	if p.head == len(p.queue) || p.queue[p.head].slot != slot {
		return batching.Batch{}
	}
	p.head++
	return p.queue[p.head-1].batch
}

// drop forgets everything: leadership was lost.
func (p *proposals) drop(builder *batching.Builder) {
	for _, proposal := range p.queue[p.head:] {
		builder.Recycle(&proposal.batch)
	}
	p.queue, p.head = p.queue[:0], 0
}
