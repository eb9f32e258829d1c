package load

import (
	"fmt"
	"time"
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
	verifier *verifier
	keys     []sharedKey
	lost     bool // some operation's outcome is unknown: it may take effect at any time
	ordered  bool // a key has one writer, whose writes take effect in the order in which they are acknowledged
}

type sharedKey struct {
	id          valueID // of x
	sent, acked time.Duration
	prior       time.Duration // when the write acknowledged before x was
}

func newSharedKeys(v *verifier, keys uint64) *sharedKeys {
	return &sharedKeys{verifier: v, keys: make([]sharedKey, keys)}
}

func (s *sharedKeys) write(key uint64, id valueID, sent, at time.Duration) {
	k := &s.keys[key]
	*k = sharedKey{id: id, sent: sent, acked: at, prior: k.acked}
}

func (s *sharedKeys) read(key uint64, id valueID, sent time.Duration) string {
	k := &s.keys[key]
	// Nothing is certain if x is unknown, is what was found, or was under way when the read was sent; or if x itself
	// was under way together with an earlier write, in an order that nobody knows.
	if k.id == idUnknown || k.id == id || k.acked >= sent || k.prior >= k.sent && !s.ordered || s.lost {
		return ""
	}
	if s.uncertain(id) {
		return ""
	}
	return fmt.Sprintf("found %v, which %v had replaced %v before the read was sent", id, k.id, sent-k.acked)
}

// uncertain reports whether the write that was found may have taken effect after x: it was not acknowledged, or is not
// this thread's to know about.
func (s *sharedKeys) uncertain(id valueID) bool {
	v := s.verifier
	if id == idAbsent || id == idUnknown {
		return v.work.cfg.Mix.deletes()
	}
	if id.tag() != v.work.tag {
		return v.work.cfg.Generator.Of > 1
	}
	local := int(id.session()) - int(v.work.first)
	if local < 0 || local >= len(v.sessions) {
		return true
	}
	return int32(uint32(v.sessions[local].Answered())-id.number()) < 0
}

func (s *sharedKeys) forget(uint64) { s.lost = true }
