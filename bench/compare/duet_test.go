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

// stage makes up duets on a host that is disturbed from round to round by up to a half, and whose second processor is
// slower than the first by a third. Side B has a handicap.
type stage struct {
	sync.Mutex
	random       *rand.Rand
	handicap     float64
	arrived      int
	disturbance  float64
	onProcessors map[string][2]int // runs of a side on each
	fail         string
}

func newStage(seed uint64, handicap float64) *stage {
	return &stage{random: rand.New(rand.NewPCG(seed, 2)), handicap: handicap, onProcessors: make(map[string][2]int)}
}

type seat struct {
	*stage
	side      string
	processor int
}

func (s *stage) hosts(side string, processor int) (bench.Executor, error) {
	return seat{s, side, processor}, nil
}

func (s seat) Execute(ctx context.Context, job bench.Job) (bench.Measured, error) {
	if s.fail == s.side {
		return bench.Measured{Status: suite.StatusFailed, Reasons: []string{"made up"}}, nil
	}
	s.arrive()
	if err := job.Ready(ctx); err != nil {
		return bench.Measured{}, err
	}
	s.Lock()
	defer s.Unlock()
	on := s.onProcessors[s.side]
	on[s.processor]++
	s.onProcessors[s.side] = on
	ops := 1e6 * s.disturbance * math.Exp(0.004*s.random.NormFloat64())
	if s.processor == 1 {
		ops *= 2.0 / 3
	}
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
	o, err := Run(t.Context(), s.hosts, c, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestDuetSeesThroughTheNoise wants a handicap of 3 % found where the host is disturbed by up to a half and one processor is
// slower by a third, and none where there is none; each side is as often on the one processor as on the other.
func TestDuetSeesThroughTheNoise(t *testing.T) {
	found, wrong := 0, 0
	for seed := range uint64(20) {
		s := newStage(seed, 0.03)
		if c := duets(t, s).Lines[0].Comparison; c.Different() && math.Abs(c.Ratio-1/0.97) < 0.01 {
			found++
		}
		for side, on := range s.onProcessors {
			if on != [2]int{10, 10} {
				t.Fatalf("side %s was on the processors %v times", side, on)
			}
		}
		if duets(t, newStage(seed, 0)).Verdict() != "no difference" {
			wrong++
		}
	}
	if found < 20 || wrong > 2 {
		t.Errorf("a handicap of 3 %% was found in %d of 20, one of nothing in %d", found, wrong)
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
			_, err := Run(t.Context(), s.hosts, c, io.Discard)
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
