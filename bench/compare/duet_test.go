package compare

import (
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"paxosbench/bench"
	"paxosbench/bench/record"
	"paxosbench/bench/suite"
)

// stage makes up duets on a host that is disturbed from round to round by up to a half. Side B has a handicap.
type stage struct {
	sync.Mutex
	random      *rand.Rand
	handicap    float64
	takes       time.Duration
	arrived     int
	disturbance float64
	seats       [][2]int // of A and B, one after the other
	fail        string
}

func newStage(seed uint64, handicap float64) *stage {
	return &stage{random: rand.New(rand.NewPCG(seed, 2)), handicap: handicap}
}

type seat struct {
	*stage
	side string
}

func (s *stage) Host(side string) (bench.Executor, error) { return seat{s, side}, nil }

func (s *stage) Seat(a, b int) error {
	s.Lock()
	defer s.Unlock()
	s.seats = append(s.seats, [2]int{a, b})
	return nil
}

func (s seat) Execute(ctx context.Context, job bench.Job) (bench.Measured, error) {
	if s.fail == s.side {
		return bench.Measured{Status: suite.StatusFailed, Reasons: []string{"made up"}}, nil
	}
	s.arrive()
	if err := job.Ready(ctx); err != nil {
		return bench.Measured{}, err
	}
	time.Sleep(s.takes)
	s.Lock()
	defer s.Unlock()
	ops := 1e6 * s.disturbance * math.Exp(0.004*s.random.NormFloat64())
	if s.side == "B" {
		ops *= 1 - s.handicap
	}
	return bench.Measured{Status: suite.StatusValid, Result: &record.Result{ThroughputOpsPerS: ops}}, nil
}

// arrive draws the disturbance of a round, once for both sides.
func (s seat) arrive() {
	s.Lock()
	defer s.Unlock()
	if s.arrived++; s.arrived%2 == 1 {
		s.disturbance = 0.5 + 0.5*s.random.Float64()
	}
}

func duets(t *testing.T, s *stage) *Outcome {
	t.Helper()
	c := config(10)
	c.B, c.Duet = c.A, []int{0, 1}
	o, err := Run(t.Context(), s, c, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestDuetSeesThroughTheNoise wants a handicap of 3 % found where the host is disturbed by up to a half, and none where there
// is none.
func TestDuetSeesThroughTheNoise(t *testing.T) {
	found, wrong := 0, 0
	for seed := range uint64(20) {
		if c := duets(t, newStage(seed, 0.03)).Lines[0].Comparison; c.Different() && math.Abs(c.Ratio-1/0.97) < 0.01 {
			found++
		}
		if duets(t, newStage(seed, 0)).Verdict() != "no difference" {
			wrong++
		}
	}
	if found < 20 || wrong > 2 {
		t.Errorf("a handicap of 3 %% was found in %d of 20, one of nothing in %d", found, wrong)
	}
}

// TestDuetExchangesProcessors wants both sides to change places while they run, and each to begin on either.
func TestDuetExchangesProcessors(t *testing.T) {
	seats := func(pairs int, takes time.Duration) [][2]int {
		s := newStage(1, 0)
		s.takes = takes
		c := config(pairs)
		c.Duet = []int{3, 7}
		if _, err := Run(t.Context(), s, c, io.Discard); err != nil {
			t.Fatal(err)
		}
		return s.seats
	}
	for _, seats := range [][][2]int{seats(1, 5*exchangeEvery), seats(4, 0)} {
		if len(seats) < 4 {
			t.Errorf("seated %v", seats)
		}
		for i, at := range seats {
			if want := [][2]int{{3, 7}, {7, 3}}[i%2]; at != want {
				t.Errorf("seat %d of %v: want %v", i, seats, want)
			}
		}
	}
}

// TestDuetThatFails wants one side that comes to nothing to end the other, which waits for it, and the blame to be its own.
func TestDuetThatFails(t *testing.T) {
	for _, side := range []string{"A", "B"} {
		s := newStage(1, 0)
		s.fail = side
		c := config(3)
		c.Duet = []int{0, 1}
		ended := make(chan error, 1)
		go func() {
			_, err := Run(t.Context(), s, c, io.Discard)
			ended <- err
		}()
		select {
		case err := <-ended:
			var failed *FailedError
			if !errors.As(err, &failed) || failed.Side != side {
				t.Errorf("%s fails: %v", side, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s fails, and the other waits for it", side)
		}
	}
}
