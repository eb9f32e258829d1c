package load

import (
	"fmt"
	"time"

	"paxosbench/bench/client"
)

// settledKeys judges what keys hold after the load: nothing is under way any more, so what each thread knows about its own
// writes can be put together.
type settledKeys struct {
	ownKeys               // what is known exactly, which is all that has been read once
	shared  []*sharedKeys // what the threads know of keys that they share; nil: they share none
	strange bool          // other generators write the keys
}

// settle prepares for reading back what the load has written. all are the verifiers of all threads.
func (v *verifier) settle(all []*verifier) {
	settled := &settledKeys{}
	switch keys := v.keys.(type) {
	case ownKeys:
		settled.ownKeys = keys
	case nil:
		settled.ownKeys = v.replay(never.Nanoseconds())
	default:
		settled.ownKeys = make(ownKeys, v.work.space.keys)
		settled.strange = v.work.cfg.Generator.Of > 1
		for _, other := range all {
			settled.shared = append(settled.shared, other.common)
		}
	}
	v.keys = settled
	if v.history != nil {
		v.history.limit = 0 // what follows is judged exactly, and its compare-and-sets would take a search
	}
	if v.queries != nil {
		v.queries = settled
	}
}

// read judges a read when nothing else is under way.
func (k *settledKeys) read(key uint64, id valueID, sent time.Duration) (wrong string, judged bool) {
	if k.ownKeys[key] == idUnknown && k.shared != nil {
		k.ownKeys[key] = id
		return k.joined(key, id)
	}
	return k.ownKeys.read(key, id, sent)
}

// joined judges the first read of a key that several threads have written. What was found is wrong if some write was
// acknowledged that had been sent after the one that was found had been acknowledged, or that the same session made later.
func (k *settledKeys) joined(key uint64, id valueID) (wrong string, judged bool) {
	var newest *sharedKey
	settled := beginning // when the write that was found had been acknowledged at the latest
	for _, s := range k.shared {
		x := &s.keys[key]
		switch _, mine := s.verifier.mine(id); {
		case x.acked == never:
			return "", false
		case x.id == idUnknown:
			continue
		case x.id == id:
			settled = max(settled, x.acked)
		case s.before(id, x.id):
			return fmt.Sprintf("found %v, after which the same session had written %v", id, x.id), true
		case id == idAbsent && s.verifier.work.cfg.Mix.deletes(), id != idAbsent && id.tag() == s.verifier.work.tag && mine:
			settled = max(settled, x.prior)
		}
		if newest == nil || x.sent > newest.sent {
			newest = x
		}
	}
	switch {
	case newest == nil, k.strange && (id == idAbsent || id.tag() != k.shared[0].verifier.work.tag):
		return "", false
	case newest.id != id && newest.sent > settled:
		return fmt.Sprintf("found %v, but %v was written later", id, newest.id), true
	}
	return "", true
}

// replay returns what the acknowledged puts of a load that only puts have left under the keys of this thread, by going
// back over the last operations of each session. Keys that were not written, or that an operation of unknown outcome may
// have written later, stay unknown.
func (v *verifier) replay(most int64) ownKeys {
	const doubtful = valueID(2) // no run's
	keys := make(ownKeys, v.work.space.keys)
	for session := range v.sessions {
		left := v.work.owned(session)
		oldest := max(0, int64(v.sessions[session].Answered())-most)
		for n := v.sessions[session].Answered(); int64(n) > oldest && left > 0; n-- {
			key := v.work.operation(session, n).key
			if keys[key] != idUnknown {
				continue
			}
			left--
			keys[key] = v.work.valueID(session, n)
			if v.inDoubt(session, n) {
				keys[key] = doubtful
			}
		}
	}
	for key := range keys {
		if keys[key] == doubtful {
			keys[key] = idUnknown
		}
	}
	return keys
}

// inDoubt reports whether the outcome of an operation is unknown.
func (v *verifier) inDoubt(session int, n client.Number) bool {
	for _, s := range v.doubtful {
		if s.session == session && s.first <= n && n <= s.last {
			return true
		}
	}
	return false
}
