package batching

import "fmt"

// Reason says why a batch was sealed.
type Reason uint8

// Reasons, from the policy's own to those that let an underfull batch go.
const (
	ReasonFull   Reason = iota // the policy's N was reached; every batch of policy none
	ReasonLimit                // the next command would have passed Config.MaxBytes
	ReasonRoom                 // adaptive without linger: the window had room
	ReasonIdle                 // nothing was in flight
	ReasonLinger               // the first command had waited for Config.Linger

	// NumReasons is the number of reasons, for arrays of counters.
	NumReasons = 5
)

var reasonNames = [NumReasons]string{"full", "limit", "room", "idle", "linger"}

// String returns the reason as counters and results spell it.
func (r Reason) String() string {
	if r < NumReasons {
		return reasonNames[r]
	}
	return fmt.Sprintf("Reason(%d)", uint8(r))
}

// Origin says who gets the replies of a fragment. It means nothing to this package.
type Origin uint64

// Span is a stretch of consecutive runs of a batch that came from one origin.
type Span struct {
	Origin Origin
	Runs   int
}

// Batch is a sealed batch: runs in wire form, ready to be proposed.
type Batch struct {
	// Body holds the runs; wire.DecodeFragment accepts it. It came from Config.Buffers, and whoever takes the batch
	// from Next owns it and returns it there when nothing looks at it any more.
	Body []byte
	// CRC is wire.Checksum(Body).
	CRC uint32
	// Commands and Runs count what Body holds.
	Commands int
	Runs     int
	// Spans says, in the order of the runs, whom the replies go to. Builder.Recycle takes it back.
	Spans  []Span
	Reason Reason
}

// add appends encoded, which holds runs of one origin or ends one. The body's capacity suffices.
func (b *Batch) add(encoded []byte, runs, commands int, origin Origin) {
	b.Body = append(b.Body, encoded...)
	b.Runs += runs
	b.Commands += commands
	if last := len(b.Spans) - 1; last >= 0 && b.Spans[last].Origin == origin {
		b.Spans[last].Runs += runs
		return
	}
	b.Spans = append(b.Spans, Span{Origin: origin, Runs: runs})
}
