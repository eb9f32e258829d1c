// Package machine holds the replicated state of a replica: the session table, which makes every command take effect
// exactly once and in its session's order, and the state machine behind it.
//
// Everything in it is deterministic and belongs to one goroutine: two states that were given the same batches are
// equal, whatever else happened to them. It reads no clock and draws no random numbers.
//
// Reading order: state.go (what one run does), sessions.go (exactly once), kv.go with index.go and arena.go (the
// store), digest.go (what vouches for what is held), snapshot.go and restore.go (how a state leaves the replica and
// comes back while commands keep coming).
package machine

import (
	"fmt"

	"paxosbench/wire"
)

// StateMachine is what the log's commands are executed on. Implementations are deterministic and hold no reference to
// a command's bytes after a call.
type StateMachine interface {
	// Kind returns which machine this is; a snapshot is only restored into the kind that it was taken of.
	Kind() Kind

	// Apply executes one command other than OpRegister. Only a get returns a value: a view that is valid until the
	// next call.
	Apply(op wire.Op, flags uint8, key, value []byte) (status wire.Status, result []byte)

	// Prepare announces the commands that Apply will be called with next: of count commands in their encoded form all,
	// or all but the gets. It is a hint, so that the machine may fetch what they need. The bytes must stay as they are
	// until then. Where common, their header, is not 0 the commands are without.
	Prepare(commands []byte, common uint64, count int, gets bool)

	// ApplyPuts executes commands that Prepare has announced and whose turn it is, for as long as they are puts of a kind that
	// it is fast at and that end with StatusOK, at most count. It returns how many, perhaps none, and their size in bytes.
	ApplyPuts(commands []byte, common uint64, count int) (done, size int)

	// Limit bounds what the records weigh, see Weight; 0: they are not bounded. A write that would exceed it ends with
	// StatusFull, unless it makes what is held smaller.
	Limit(weight uint64)

	// Weight returns what the records weigh: a function of the contents, the same on every replica.
	Weight() uint64

	// Bytes returns about how much memory the records take.
	Bytes() int

	// Len returns the number of records held.
	Len() int

	// Digest returns a digest of the contents, independent of their history. It is kept up to date at every change from
	// what is stored, and costs nothing to ask for.
	Digest() uint64

	// Freeze fixes what Scan yields: the contents at this moment, whatever Apply does afterwards.
	Freeze()

	// Scan appends frozen records that it has not yielded before, encoded as commands, until about budget bytes have
	// been read or appended, and reports whether these were the last ones. Apply may be called between two Scans. With
	// the last ones comes a *MemoryError if all of them together are not what Digest said at the freeze.
	Scan(dst []byte, budget int) (out []byte, done bool, err error)

	// Thaw ends what Freeze began, at any point.
	Thaw()

	// Restore adds one record that Scan yielded to a machine that is being filled. The record is not trusted.
	Restore(record wire.Command) error
}

// Kind selects a state machine.
type Kind uint8

// Kinds. The numbers stand in snapshots.
const (
	KindKV   Kind = 1 // a key-value store
	KindNoop Kind = 2 // answers OK and keeps a count: the cost of everything but the store
)

var kindNames = map[Kind]string{KindKV: "kv", KindNoop: "noop"}

// String returns the kind as flags and results spell it.
func (k Kind) String() string {
	if name, ok := kindNames[k]; ok {
		return name
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// ParseKind is the inverse of Kind.String.
func ParseKind(text string) (Kind, error) {
	for _, kind := range []Kind{KindKV, KindNoop} {
		if kindNames[kind] == text {
			return kind, nil
		}
	}
	return 0, fmt.Errorf("machine %q: want kv or noop", text)
}

// MarshalText renders a kind the way String does.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText parses what MarshalText writes.
func (k *Kind) UnmarshalText(text []byte) error {
	kind, err := ParseKind(string(text))
	if err == nil {
		*k = kind
	}
	return err
}

// New returns an empty machine of the given kind, which must be one of the constants. A store hashes with the key.
func New(kind Kind, key HashKey) StateMachine {
	switch kind {
	case KindKV:
		return NewKV(key)
	case KindNoop:
		return NewNoop()
	}
	panic(fmt.Sprintf("BUG: no machine of %v", kind))
}
