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
			n.compareChain()
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

// replyFrameBytes is the default of Config.ReplyFrame, and the most: no reply begins behind it.
const replyFrameBytes = 1 << 20

// Even if the last reply is of the largest size, the replies must fit into a frame.
const _ uint = wire.MaxBody - (replyFrameBytes + wire.ReplyRunHeaderSize + wire.ResultHeaderSize + wire.MaxValue)

// applySpan applies runs from the front of body, and answers their origin if there is one, in as many frames as that
// takes. It returns the rest.
func (n *Node) applySpan(slot wire.Slot, body []byte, span batching.Span) []byte {
	a := spanAnswer{origin: span.Origin, frame: n.cfg.ReplyFrame, limit: n.cfg.ReplyFrame}
	if a.origin != 0 {
		a.begin(n.driver)
	}
	for ; span.Runs > 0 && len(body) > 0; span.Runs-- {
		run, size, err := wire.DecodeRun(body)
		if err != nil {
			n.fail("chosen batch of slot %d: %w", slot, err)
			break
		}
		n.stats.CommandsApplied += uint64(run.Count)
		n.applyRun(slot, &run, &a)
		body = body[size:]
	}
	a.end(n.driver)
	return body
}

// applyRun applies a run, and begins another frame of replies whenever one is full.
func (n *Node) applyRun(slot wire.Slot, run *wire.Run, a *spanAnswer) {
	for run.Count > 0 {
		if a.open && len(a.replies) >= a.limit {
			a.end(n.driver)
			a.begin(n.driver)
		}
		before := run.Count
		a.replies = n.state.ApplyPart(slot, run, a.replies, a.open, a.limit)
		a.commands += before - run.Count
	}
}

// spanAnswer is the frame of replies to one origin that is being written.
type spanAnswer struct {
	origin   batching.Origin
	open     bool // there is a frame: somebody waits
	replies  []byte
	frame    int // bytes at which a frame is closed
	limit    int // of the length of replies
	commands int // answered in this frame
}

func (a *spanAnswer) begin(driver Driver) {
	a.replies = driver.Replies(a.origin)
	a.open, a.limit, a.commands = a.replies != nil, len(a.replies)+a.frame, 0
}

func (a *spanAnswer) end(driver Driver) {
	if a.open {
		driver.Answered(a.origin, a.replies, a.commands)
	}
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
