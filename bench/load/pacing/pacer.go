// Package pacing says when operations are due: a schedule of arrivals at a rate, or at the rates of stages, and how seldom a
// thread sends. It is arithmetic on times from the beginning of a measurement; it reads no clock and sends nothing.
package pacing

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"paxosbench/bench/load/units"
)

// Pacer says when operations are due. Times count from the beginning of the schedule and never decrease; they are
// absolute, so a late operation does not push the later ones back.
type Pacer interface {
	// Next returns when the next operation is due.
	Next() time.Duration
}

// Arrival is an arrival process: constant, poisson or burst:N.
type Arrival struct {
	kind  arrivalKind
	burst int
}

type arrivalKind uint8

const (
	arrivalConstant arrivalKind = iota
	arrivalPoisson
	arrivalBurst
)

// UnmarshalText parses an arrival process.
func (a *Arrival) UnmarshalText(text []byte) error {
	switch kind, n, hasN := strings.Cut(string(text), ":"); {
	case kind == "constant" && !hasN:
		*a = Arrival{kind: arrivalConstant}
	case kind == "poisson" && !hasN:
		*a = Arrival{kind: arrivalPoisson}
	case kind == "burst" && hasN:
		burst, err := strconv.Atoi(n)
		if err != nil || burst < 1 {
			return fmt.Errorf("arrival %q: a burst has at least 1 operation, as in burst:100", text)
		}
		*a = Arrival{kind: arrivalBurst, burst: burst}
	default:
		return fmt.Errorf("arrival %q: want constant, poisson or burst:N", text)
	}
	return nil
}

// String renders the arrival process in the form that UnmarshalText reads.
func (a Arrival) String() string {
	switch a.kind {
	case arrivalPoisson:
		return "poisson"
	case arrivalBurst:
		return "burst:" + strconv.Itoa(a.burst)
	}
	return "constant"
}

// MarshalText renders the arrival process as String does.
func (a Arrival) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Pacer returns the schedule of one of several threads that share a rate evenly. Together the threads of a constant schedule
// are evenly spaced, and those of several generators of the same rate, which begin at the same time; those of the others
// are independent.
func (a Arrival) Pacer(rate units.Rate, thread, threads int, generator units.GeneratorID, seed uint64) Pacer {
	gap := float64(time.Second) / float64(rate) * float64(threads)
	offset := gap / float64(threads) * (float64(thread) + float64(generator.Index)/float64(generator.Of))
	switch a.kind {
	case arrivalPoisson:
		return &poissonPacer{gap: gap, rng: rand.New(rand.NewPCG(seed, uint64(thread)))}
	case arrivalBurst:
		return &steadyPacer{gap: gap * float64(a.burst), offset: offset * float64(a.burst), burst: a.burst}
	}
	return &steadyPacer{gap: gap, offset: offset, burst: 1}
}

// steadyPacer lets burst operations be due at once every gap. Times are products, not sums, so that rounding does not
// pile up over a long run.
type steadyPacer struct {
	gap    float64 // nanoseconds
	offset float64 // nanoseconds
	burst  int
	given  int     // of the present burst
	k      float64 // bursts before the present one
}

func (p *steadyPacer) Next() time.Duration {
	if p.given == p.burst {
		p.given = 0
		p.k++
	}
	p.given++
	return time.Duration(p.offset + p.k*p.gap)
}

// poissonPacer draws exponential gaps: arrivals of many independent clients.
type poissonPacer struct {
	gap float64 // mean, nanoseconds
	at  float64
	rng *rand.Rand
}

func (p *poissonPacer) Next() time.Duration {
	p.at += p.gap * p.rng.ExpFloat64()
	return time.Duration(math.Floor(p.at))
}
