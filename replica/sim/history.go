package sim

import (
	"math"

	"github.com/anishathalye/porcupine"

	"paxosbench/wire"
)

// maxSteps bounds the check of one history, in transitions that are tried. A check that reaches it is counted as
// undecided, not as passed. It is a count and not a time, so that a seed has the same outcome on every machine.
const maxSteps = 200_000

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
		legal, decided := linearizable(history)
		if !decided {
			w.counts.Undecided++
		} else if !legal {
			w.fail("the history of key %d is not linearizable (%d operations)", key, len(history))
		}
	}
}

// linearizable checks the history of one key: a register that holds 0 for nothing, or the value that is there. Once
// the steps are used up, every further one is impossible, so that the search ends soon.
func linearizable(history []porcupine.Operation) (legal, decided bool) {
	steps := 0
	register := porcupine.Model{
		Init: func() any { return uint64(0) },
		Step: func(state, input, _ any) (bool, any) {
			if steps++; steps > maxSteps {
				return false, state
			}
			return input.(*operation).step(state.(uint64))
		},
	}
	legal = porcupine.CheckOperations(register, history)
	return legal, legal || steps <= maxSteps
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
