package sim

import (
	"math"
	"time"

	"github.com/anishathalye/porcupine"

	"paxosbench/wire"
)

// historyTimeout bounds the check of one run's histories. It is real time, and the only that a run depends on: a check
// that runs out of it is counted, not passed.
const historyTimeout = 100 * time.Millisecond

// history takes note of an operation that is about to be sent.
func (c *checker) history(o *operation) { c.operations = append(c.operations, o) }

// recent returns what a recent operation may have left under a key, so that compare-and-sets have a chance: the value of
// a put, or 0 for nothing.
func (c *checker) recent(key int) uint64 {
	for i := len(c.operations) - 1; i >= 0 && i >= len(c.operations)-8; i-- {
		if o := c.operations[i]; o.key == key && (o.op == wire.OpPut || o.op == wire.OpCompareAndSet) {
			return o.value
		}
	}
	return 0
}

// checkHistories checks what clients saw of each key for linearizability.
func (w *world) checkHistories() {
	byKey := make([][]porcupine.Operation, w.keys)
	for _, o := range w.check.operations {
		returned := int64(math.MaxInt64)
		if o.answered {
			returned = int64(o.returned)
		} else if o.op == wire.OpGet {
			continue // says nothing
		}
		byKey[o.key] = append(byKey[o.key], porcupine.Operation{ClientId: o.client, Input: o, Output: o, Call: int64(o.called), Return: returned})
	}
	for key, history := range byKey {
		switch porcupine.CheckOperationsTimeout(register, history, historyTimeout) {
		case porcupine.Illegal:
			w.fail("the history of key %d is not linearizable (%d operations)", key, len(history))
		case porcupine.Unknown:
			w.counts.Undecided++
		}
	}
}

// register is one key: 0 for nothing, or the value that is there.
var register = porcupine.Model{
	Init: func() any { return uint64(0) },
	Step: func(state, input, _ any) (bool, any) {
		return input.(*operation).step(state.(uint64))
	},
}

// step says whether an operation can have had its outcome in a state, and the state after it.
func (o *operation) step(state uint64) (bool, uint64) {
	switch o.op {
	case wire.OpPut:
		return !o.answered || o.status == wire.StatusOK, o.value
	case wire.OpGet:
		if o.status == wire.StatusNotFound {
			return state == 0, state
		}
		return state != 0 && state == o.found, state
	case wire.OpDelete:
		return !o.answered || (state != 0) == (o.status == wire.StatusOK), 0
	}
	if state == o.expected {
		return !o.answered || o.status == wire.StatusOK, o.value
	}
	return !o.answered || o.status == wire.StatusMismatch, state
}
