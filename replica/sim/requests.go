package sim

import (
	"paxosbench/batching"
	"paxosbench/wire"
)

// request is what the driver does with a client's request: it is taken, refused for a while, or sent elsewhere.
func (r *replica) request(c *client, fragment []byte, info wire.FragmentInfo) {
	w := r.w
	if !r.node.Leads() {
		leader := r.node.Core().Leader()
		w.transmit(0, func() { c.redirect(leader) })
		return
	}
	if _, waiting := r.node.Pending(); waiting > w.pendingBytes {
		run, _, err := wire.DecodeRun(fragment)
		if err != nil {
			w.fail("client %d made a bad run: %v", c.id, err)
		}
		w.counts.Busy += uint64(run.Count)
		busy := wire.AppendUniformReply(nil, run.Session, run.First, run.Count, wire.StatusBusy)
		w.transmit(0, func() { c.reply(busy) })
		return
	}
	r.node.Request(r.clock(), batching.Origin(c.id), fragment, info)
}

// Replies implements node.Driver. Everybody who has sent something is there to be answered.
func (r *replica) Replies(batching.Origin) []byte { return []byte{} }

// Answered implements node.Driver.
func (r *replica) Answered(origin batching.Origin, replies []byte, _ int) {
	w := r.w
	w.check.answered(r)
	c := w.clients[origin-1]
	w.transmit(0, func() { c.reply(replies) })
}

// LeaderChanged implements node.Driver.
func (r *replica) LeaderChanged(bool) {
	r.w.logf("%d: leader %d, ballot %v, role %v", r.id, r.node.Core().Leader(), r.node.Core().Ballot(), r.node.Core().Role())
}
