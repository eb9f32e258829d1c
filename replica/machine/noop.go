package machine

import (
	"encoding/binary"
	"fmt"

	"paxosbench/wire"
)

// Noop is a state machine that answers OK to everything and keeps nothing but a count of the writes, so that a
// benchmark can show what the store itself costs.
type Noop struct {
	writes uint64
	frozen uint64
}

const noopRecordSize = 8

// NewNoop returns a Noop that has executed nothing.
func NewNoop() *Noop { return &Noop{} }

// Kind implements StateMachine.
func (m *Noop) Kind() Kind { return KindNoop }

// Apply implements StateMachine. A get is answered with an empty value and not counted: replicas may leave it out.
func (m *Noop) Apply(op wire.Op, _ uint8, _, _ []byte) (wire.Status, []byte) {
	if op != wire.OpGet {
		m.writes++
	}
	return wire.StatusOK, nil
}

// Prepare implements StateMachine.
func (m *Noop) Prepare([]byte, uint64, int, bool) {}

// ApplyPuts implements StateMachine: there is no faster way than Apply.
func (m *Noop) ApplyPuts([]byte, uint64, int) (done, size int) { return 0, 0 }

// Limit implements StateMachine: nothing is kept.
func (m *Noop) Limit(uint64) {}

// Weight implements StateMachine.
func (m *Noop) Weight() uint64 { return 0 }

// Bytes implements StateMachine.
func (m *Noop) Bytes() int { return 0 }

// Len implements StateMachine; a Noop holds no records.
func (m *Noop) Len() int { return 0 }

// Digest implements StateMachine: the count is all there is.
func (m *Noop) Digest() uint64 { return mix(m.writes, digestKey) }

// Freeze implements StateMachine.
func (m *Noop) Freeze() { m.frozen = m.writes }

// Scan implements StateMachine: a single record without a key holds the count.
func (m *Noop) Scan(dst []byte, _ int) (out []byte, done bool, err error) {
	dst = wire.AppendCommandHeader(dst, wire.OpPut, 0, 0, noopRecordSize)
	return binary.LittleEndian.AppendUint64(dst, m.frozen), true, nil
}

// Thaw implements StateMachine.
func (m *Noop) Thaw() {}

// Restore implements StateMachine.
func (m *Noop) Restore(record wire.Command) error {
	if len(record.Key) != 0 || len(record.Value) != noopRecordSize || m.writes != 0 {
		return fmt.Errorf("%w: noop record of %d and %d bytes", ErrSnapshot, len(record.Key), len(record.Value))
	}
	m.writes = binary.LittleEndian.Uint64(record.Value)
	return nil
}
