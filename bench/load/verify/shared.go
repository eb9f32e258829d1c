package verify

import (
	"fmt"
	"time"

	"paxosbench/bench/load/pacing"
	"paxosbench/bench/load/workload"
)

// sharedKeys judges reads that are concurrent with the writes of their keys: keys that several sessions write, or gets
// outside of their session's order. In which order concurrent writes took effect is not known, so a
// read is wrong only if what it found was certainly overwritten before the read was sent: some write x was sent after
// the write that was found had been acknowledged, and was itself acknowledged before the read was sent.
//
// Of every key the newest acknowledged write is kept as x, and when the newest but one was acknowledged, which is not
// before any other write but x was. That is little to know of a key that is being fought over, and exact for one at
// peace. Stamps err to the safe side: sends are stamped before, answers after the fact.
type sharedKeys struct {
	verifier *Verifier
	keys     []sharedKey
	threads  int  // of all generators that write the keys
	ordered  bool // a key has one writer, whose writes take effect in the order in which they are acknowledged
}

type sharedKey struct {
	id          workload.ValueID // of x
	sent, acked time.Duration    // never: some write's outcome is unknown, it may take effect at any time
	prior       time.Duration    // when the write acknowledged before x was
}

func newSharedKeys(v *Verifier, keys uint64) *sharedKeys {
	return &sharedKeys{verifier: v, keys: make([]sharedKey, keys), threads: v.threads}
}

// newOrderedKeys judges keys of which each has one writer.
func newOrderedKeys(v *Verifier) *sharedKeys {
	return &sharedKeys{verifier: v, keys: make([]sharedKey, v.work.Keys()), ordered: true, threads: 1}
}

func (s *sharedKeys) write(key uint64, id workload.ValueID, sent, at time.Duration) {
	if k := &s.keys[key]; k.acked != pacing.Never {
		*k = sharedKey{id: id, sent: sent, acked: at, prior: k.acked}
	}
}

func (s *sharedKeys) read(key uint64, id workload.ValueID, sent time.Duration) (wrong string, judged bool) {
	k := &s.keys[key]
	switch {
	case k.id == workload.Unknown, k.acked >= sent: // x is unknown, or was under way when the read was sent
		return "", false
	case k.id == id:
		return "", true
	case s.verifier.work.Before(id, k.id):
		return fmt.Sprintf("found %v, which %v of the same session had replaced %v before the read was sent", id, k.id, sent-k.acked), true
	case k.prior >= k.sent && !s.ordered: // x was under way together with an earlier write, in an order that nobody knows
		return "", false
	case s.uncertain(id):
		return "", false
	}
	return fmt.Sprintf("found %v, which %v had replaced %v before the read was sent", id, k.id, sent-k.acked), true
}

// uncertain reports whether the write that was found may have taken effect after x: it was not acknowledged, or is not
// this thread's to know about.
func (s *sharedKeys) uncertain(id workload.ValueID) bool {
	v := s.verifier
	if id == workload.Absent || id == workload.Unknown {
		return v.cfg.Mix.Deletes()
	}
	if !v.work.OfRun(id) {
		return v.cfg.Generator.Of > 1
	}
	local, mine := v.work.Mine(id)
	return !mine || int32(uint32(v.sessions[local].AnsweredUpTo())-id.Number()) < 0
}

// holds knows what a key held when a write was executed, if that was the only one under way.
func (s *sharedKeys) holds(key uint64, id workload.ValueID, sent time.Duration) workload.ValueID {
	k := &s.keys[key]
	if s.threads > 1 || k.acked >= sent || k.prior >= k.sent && !s.ordered || !s.verifier.work.Alone(key, id) {
		return workload.Unknown
	}
	return k.id
}

func (s *sharedKeys) forget(key uint64) { s.keys[key].acked = pacing.Never }
