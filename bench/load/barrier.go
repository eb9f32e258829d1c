package load

import (
	"errors"
	"sync"
	"time"
)

// barrier lets a number of goroutines wait for each other and agree on a time. Breaking it frees everyone.
type barrier struct {
	mu      sync.Mutex
	missing int
	at      time.Duration
	release chan struct{}
	broken  error
}

var errBroken = errors.New("another thread of the run has failed")

func newBarrier(parties int) *barrier {
	return &barrier{missing: parties, release: make(chan struct{})}
}

// await waits for everyone and returns the latest time that any of them proposed.
func (b *barrier) await(proposal time.Duration) (time.Duration, error) {
	if err := b.arrive(proposal); err != nil {
		return 0, err
	}
	<-b.release
	return b.at, b.broken // neither changes once release is closed
}

// arrive counts one who has come. Whoever comes to a broken barrier changes nothing: others read it by then.
func (b *barrier) arrive(proposal time.Duration) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken != nil {
		return b.broken
	}
	b.at = max(b.at, proposal)
	b.missing--
	if b.missing == 0 {
		close(b.release)
	}
	return nil
}

// abandon frees everyone who waits, now and later, with an error.
func (b *barrier) abandon() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken == nil && b.missing > 0 {
		b.broken = errBroken
		close(b.release)
	}
}
