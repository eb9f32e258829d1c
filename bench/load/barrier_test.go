package load

import (
	"errors"
	"sync"
	"testing"
	"time"
)

// Everyone gets the latest time that anyone proposed.
func TestBarrierAgreesOnTheLatest(t *testing.T) {
	b := newBarrier(3)
	got := make([]time.Duration, 3)
	errs := make([]error, 3)
	var parties sync.WaitGroup
	for i := range got {
		parties.Go(func() { got[i], errs[i] = b.await(time.Duration(i)) })
	}
	parties.Wait()
	for i := range got {
		if got[i] != 2 || errs[i] != nil {
			t.Errorf("party %d: %v, %v; want 2ns", i, got[i], errs[i])
		}
	}
}

// Whoever waits at a broken barrier or comes to it later is freed, at whatever time each of them looks. The race
// detector is the other half of this test.
func TestBrokenBarrierFreesEveryone(t *testing.T) {
	for range 200 {
		b := newBarrier(4)
		var parties sync.WaitGroup
		for i := range 3 {
			parties.Go(func() {
				if _, err := b.await(time.Duration(i)); !errors.Is(err, errBroken) {
					t.Errorf("error %v, want %q", err, errBroken)
				}
			})
		}
		parties.Go(b.abandon)
		parties.Wait()
	}
}
