package pacing

import (
	"fmt"
	"time"

	"paxosbench/bench/load/units"
)

// Tick is the least time between two sends of one thread of an open loop. Operations that become due meanwhile leave
// together, so that a high rate costs wakes and system calls per tick and not per operation. The zero Tick is
// automatic: it depends on the rate.
type Tick struct {
	given bool
	least time.Duration
}

// tickAuto is how the automatic tick is written.
const tickAuto = "auto"

const (
	// tickShortest is that of low rates: shorter ones are lost in what waking a thread takes.
	tickShortest = 20 * time.Microsecond
	// LongestTick is all that an automatic tick adds to the send lag.
	LongestTick = 100 * time.Microsecond
	// tickPerRate is 20 us at ten thousand a second, 100 us at fifty thousand. A send and the answer that wakes the thread
	// once more take 20 us of it and more, however few operations they are for: fifty thousand sends a second saturate it.
	// This way constant arrivals leave one by one up to twenty-two thousand a second, and beyond that in fewer sends.
	tickPerRate = 2 * time.Nanosecond
)

// Of returns the tick of threads that send at rate each.
func (t Tick) Of(rate units.Rate) time.Duration {
	if t.given {
		return t.least
	}
	wanted := time.Duration(rate * units.Rate(tickPerRate))
	return max(tickShortest, min(wanted, LongestTick))
}

// UnmarshalText parses auto, or a duration that is not negative.
func (t *Tick) UnmarshalText(text []byte) error {
	if string(text) == tickAuto {
		*t = Tick{}
		return nil
	}
	least, err := time.ParseDuration(string(text))
	if err != nil || least < 0 {
		return fmt.Errorf("tick %q: want auto, or a duration as in 50us", text)
	}
	*t = Tick{given: true, least: least}
	return nil
}

// String renders the tick in the form that UnmarshalText reads.
func (t Tick) String() string {
	if t.given {
		return t.least.String()
	}
	return tickAuto
}
