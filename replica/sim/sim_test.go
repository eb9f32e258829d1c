package sim

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"reflect"
	"testing"
)

// replay is the command that shows what a seed does.
const replay = "replay: scripts/simulate.sh --seed %d --verbose"

var seeds = flag.Uint64("sim.seeds", 150, "seeds that TestSeeds runs from 1 on, and a tenth as many at random")

func run(t *testing.T, seed uint64) *Report {
	t.Helper()
	r := Run(seed, nil)
	if r.Err != nil {
		t.Errorf("%s\n%v\n"+replay, r.Plan, r.Err, seed)
	}
	return r
}

// Whatever goes wrong, nothing acknowledged is lost, doubled or reordered, and the cluster gets on. That a fault is not
// there by chance only is checked as well: over the fixed seeds each kind, and each thing that replicas do about it, must
// have happened.
func TestSeeds(t *testing.T) {
	var sum Counts
	total := reflect.ValueOf(&sum).Elem()
	for seed := range *seeds {
		counts := reflect.ValueOf(run(t, seed+1).Counts)
		for i := range total.NumField() {
			total.Field(i).SetUint(total.Field(i).Uint() + counts.Field(i).Uint())
		}
	}
	for i := range total.NumField() {
		if name := total.Type().Field(i).Name; total.Field(i).Uint() == 0 && name != "Undecided" {
			t.Errorf("no %s in %d seeds", name, *seeds)
		}
	}
	if sum.Undecided > *seeds {
		t.Errorf("%d histories could not be decided", sum.Undecided)
	}
	t.Logf("%+v", sum)
	for range *seeds / 10 {
		run(t, rand.Uint64())
	}
}

// Seeds that found bugs once.
func TestSeedsThatFoundBugs(t *testing.T) {
	for seed, bug := range map[uint64]string{
		1032903780630: "a peer was given a slot from the journal while its newest record was not durable yet",
	} {
		if r := Run(seed, nil); r.Err != nil {
			t.Errorf("seed %d (%s): %v", seed, bug, r.Err)
		}
	}
}

// The same seed gives the same transcript, byte for byte.
func TestSameSeedSameTranscript(t *testing.T) {
	for seed := range uint64(8) {
		var first, second bytes.Buffer
		a, b := Run(seed, &first), Run(seed, &second)
		if !bytes.Equal(first.Bytes(), second.Bytes()) || a.Hash != b.Hash {
			t.Fatalf("seed %d: transcripts differ", seed)
		}
		if other := Run(seed+100, nil); other.Hash == a.Hash {
			t.Fatalf("seeds %d and %d have the same transcript", seed, seed+100)
		}
	}
}

// A checker that sees what must not be ends the run.
func TestViolationsAreReported(t *testing.T) {
	w := &world{plan: drawPlan(1), rng: rand.New(rand.NewPCG(1, 2)), hash: &bytes.Buffer{}}
	w.check = newChecker(w)
	r := &replica{w: w, id: 1, disk: newDisk()}
	caught := func(do func()) (err error) {
		defer func() {
			if v, ok := recover().(violation); ok {
				err = v.err
			}
		}()
		do()
		return nil
	}
	if err := caught(func() { w.check.decide(r, 1, 5); w.check.decide(r, 1, 5) }); err != nil {
		t.Errorf("one value twice: %v", err)
	}
	if caught(func() { w.check.decide(r, 1, 6) }) == nil {
		t.Error("two values for a slot pass")
	}
}
