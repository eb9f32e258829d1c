package sim

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"testing"
)

// howToReplay is the command that shows what a seed does.
const howToReplay = "replay: scripts/simulate.sh --seed %d --verbose"

var seeds = flag.Uint64("sim.seeds", 150, "seeds that TestSeeds runs from 1 on, and a tenth as many at random")

func run(t *testing.T, seed uint64) *Report {
	t.Helper()
	r := Run(seed, nil)
	if r.Err != nil {
		t.Errorf("%s\n%v\n"+howToReplay, r.Plan, r.Err, seed)
	}
	return r
}

// Whatever goes wrong, nothing acknowledged is lost, doubled or reordered, and the cluster gets on. That a fault is not
// there by chance only is checked as well: over the fixed seeds each kind, and each thing that replicas do about it, must
// have happened.
func TestSeeds(t *testing.T) {
	var sum Counts
	for seed := range *seeds {
		sum.Add(&run(t, seed+1).Counts)
	}
	for _, name := range sum.Missing() {
		t.Errorf("no %s in %d seeds", name, *seeds)
	}
	if sum.Undecided > *seeds {
		t.Errorf("%d histories could not be decided", sum.Undecided)
	}
	t.Logf("%v", &sum)
	for range *seeds / 10 {
		run(t, rand.Uint64())
	}
}

// Seeds that found bugs once.
func TestSeedsThatFoundBugs(t *testing.T) {
	for seed, bug := range map[uint64]string{
		34: "a candidate counted the promise of a replica that had lost it since and voted for the old leader again",
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
