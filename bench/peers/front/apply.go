package front

import (
	"fmt"

	"paxosbench/replica/machine"
	"paxosbench/wire"
)

// Apply executes the next committed entry. The entries of a node come one by one, from the first one on or from the one after the
// snapshot that was restored, the same ones on all nodes. Answers are sent at the next Flush. An error says that the entry is
// none of a Front's.
func (f *Front) Apply(entry []byte) error {
	ticket, body, err := splitEntry(entry)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if ticket == 0 {
		return f.learn(body)
	}
	if _, err := wire.DecodeFragment(body); err != nil {
		return fmt.Errorf("committed entry: %w", err)
	}
	_, f.scratch = f.pending.take(ticket, f.scratch[:0])
	slot := f.state.Applied() + 1
	if len(f.scratch) == 0 {
		eachRun(body, func(run *wire.Run) { f.state.ApplyRun(slot, run, nil, false) })
	}
	rest := body
	for _, p := range f.scratch {
		f.answer(slot, p.conn, rest[:p.size])
		rest = rest[p.size:]
	}
	f.state.EndBatch(slot, wire.Checksum(body))
	return nil
}

// answerPart is how long an answer gets before a new one is begun.
const answerPart = 256 << 10

// answer executes what came from a connection.
func (f *Front) answer(slot wire.Slot, c *conn, fragment []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	eachRun(fragment, func(run *wire.Run) {
		c.answered(run.Count)
		for run.Count > 0 {
			dst := c.reply()
			limits := machine.Limits{Begin: len(dst) + answerPart, End: len(dst) + answerPart + wire.MaxCommand}
			c.frame = f.state.ApplyPart(slot, run, dst, true, limits)
		}
	})
	if !c.touched {
		c.touched = true
		f.touched = append(f.touched, c)
	}
}

// learn notes where the clients of a leader connect.
func (f *Front) learn(body []byte) error {
	if len(body) < 1 || body[0] < 1 || body[0] > wire.MaxReplicas {
		return fmt.Errorf("committed announcement of %d bytes", len(body))
	}
	f.addresses[body[0]] = string(body[1:])
	return nil
}

// Flush sends the answers to what has been applied.
func (f *Front) Flush() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, c := range f.touched {
		c.flush()
		f.touched[i] = nil
	}
	f.touched = f.touched[:0]
}

// Failed says that an entry that was proposed has been dropped, or that nobody will say what became of it. Its clients are told to send
// again: what has been executed after all is answered from memory then.
func (f *Front) Failed(ticket uint64) {
	entry, parts := f.pending.take(ticket, nil)
	_, leads := f.leads()
	rest := entry
	for i, p := range parts {
		if i == 0 {
			rest = rest[ticketSize:]
		}
		if leads {
			p.conn.refuse(rest[:p.size])
		} else {
			p.conn.redirect()
		}
		rest = rest[p.size:]
	}
}

// Digest returns a digest of everything applied, equal on nodes that have applied the same entries, and how many those were.
func (f *Front) Digest() (digest uint64, applied wire.Slot) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state.Digest(), f.state.Applied()
}
