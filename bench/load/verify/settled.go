package verify

import (
	"fmt"
	"maps"
	"time"

	"paxosbench/bench/load/pacing"
	"paxosbench/bench/load/workload"
	"paxosbench/bench/target"
)

// settledKeys judges what keys hold after the load: nothing is under way any more, so what each thread knows about its own
// writes can be put together.
type settledKeys struct {
	ownKeys               // what is known exactly, which is all that has been read once
	shared  []*sharedKeys // what the threads know of keys that they share; nil: they share none
	strange bool          // other generators write the keys

	// inDoubt are the keys that an operation of unknown outcome may still write; nil: there cannot be any, see New.
	inDoubt map[uint64]bool
}

// Settle prepares for reading back what the load has written. all are the verifiers of all threads.
func (v *Verifier) Settle(all []*Verifier) {
	settled := &settledKeys{}
	if v.lasting {
		settled.inDoubt = make(map[uint64]bool)
		for _, other := range all {
			maps.Copy(settled.inDoubt, other.lost)
		}
	}
	switch keys := v.keys.(type) {
	case ownKeys:
		settled.ownKeys = keys
	case nil:
		settled.ownKeys = v.replay(pacing.Never.Nanoseconds())
	default:
		settled.ownKeys = make(ownKeys, v.work.Keys())
		settled.strange = v.cfg.Generator.Of > 1
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
func (k *settledKeys) read(key uint64, id workload.ValueID, sent time.Duration) (wrong string, judged bool) {
	if k.inDoubt[key] {
		return "", false
	}
	if k.ownKeys[key] == workload.Unknown && k.shared != nil {
		k.ownKeys[key] = id
		return k.joined(key, id)
	}
	return k.ownKeys.read(key, id, sent)
}

// holds knows what a key held when a write was executed.
func (k *settledKeys) holds(key uint64, id workload.ValueID, sent time.Duration) workload.ValueID {
	if k.inDoubt[key] {
		return workload.Unknown
	}
	return k.ownKeys.holds(key, id, sent)
}

func (k *settledKeys) forget(key uint64) {
	k.ownKeys.forget(key)
	if k.inDoubt != nil {
		k.inDoubt[key] = true
	}
}

// joined judges the first read of a key that several threads have written. What was found is wrong if some write was
// acknowledged that had been sent after the one that was found had been acknowledged, or that the same session made later.
func (k *settledKeys) joined(key uint64, id workload.ValueID) (wrong string, judged bool) {
	var newest *sharedKey
	settled := beginning // when the write that was found had been acknowledged at the latest
	for _, s := range k.shared {
		x := &s.keys[key]
		switch _, mine := s.verifier.work.Mine(id); {
		case x.acked == pacing.Never:
			return "", false
		case x.id == workload.Unknown:
			continue
		case x.id == id:
			settled = max(settled, x.acked)
		case s.verifier.work.Before(id, x.id):
			return fmt.Sprintf("found %v, after which the same session had written %v", id, x.id), true
		case id == workload.Absent && s.verifier.cfg.Mix.Deletes(), id != workload.Absent && s.verifier.work.OfRun(id) && mine:
			settled = max(settled, x.prior)
		}
		if newest == nil || x.sent > newest.sent {
			newest = x
		}
	}
	switch {
	case newest == nil, k.strange && (id == workload.Absent || !k.shared[0].verifier.work.OfRun(id)):
		return "", false
	case newest.id != id && newest.sent > settled:
		return fmt.Sprintf("found %v, but %v was written later", id, newest.id), true
	}
	return "", true
}

// KeepTrack has the verifier of a load that has only put, and of which nothing had to be kept, know from now on what its keys hold,
// as far as it can be told by going back over most operations of each session.
func (v *Verifier) KeepTrack(most int64) {
	if v.keys == nil {
		v.keys = v.replay(most)
	}
}

// Held returns what a key is known to hold after the load, see Settle.
func (v *Verifier) Held(key uint64) workload.ValueID { return v.keys.(*settledKeys).ownKeys[key] }

// Probe has the answers that follow tell whether the system keeps values, and no more, until on is false; then it returns how many
// gets were answered with success and no value.
func (v *Verifier) Probe(on bool) (nothing int64) {
	v.probing = on
	return v.nothing
}

// Judged returns how many reads were judged.
func (v *Verifier) Judged() int64 { return v.found.Reads - v.found.NotJudged }

// replay returns what the acknowledged puts of a load that only puts have left under the keys of this thread, by going
// back over the last operations of each session. Keys that were not written, or that an operation of unknown outcome may
// have written later, stay unknown.
func (v *Verifier) replay(most int64) ownKeys {
	const doubtful = workload.ValueID(2) // no run's
	keys := make(ownKeys, v.work.Keys())
	if v.full {
		return keys // which writes were refused is not kept
	}
	for session := range v.sessions {
		left := v.work.Owned(session)
		oldest := max(0, int64(v.sessions[session].AnsweredUpTo())-most)
		for n := v.sessions[session].AnsweredUpTo(); int64(n) > oldest && left > 0; n-- {
			key := v.work.Operation(session, n).Key
			if keys[key] != workload.Unknown {
				continue
			}
			left--
			keys[key] = v.work.ValueID(session, n)
			if v.inDoubt(session, n) {
				keys[key] = doubtful
			}
		}
	}
	for key := range keys {
		if keys[key] == doubtful {
			keys[key] = workload.Unknown
		}
	}
	return keys
}

// inDoubt reports whether the outcome of an operation is unknown.
func (v *Verifier) inDoubt(session int, n target.Number) bool {
	for _, s := range v.doubtful {
		if s.session == session && s.first <= n && n <= s.last {
			return true
		}
	}
	return false
}
