package paxos

import (
	"fmt"
	"testing"
	"time"
)

// path is a link with a bandwidth and a round trip, on which every step is answered before the next one is sent.
type path struct {
	bytesPerSecond int
	roundTrip      time.Duration
}

func (p path) takes(bytes int) time.Duration {
	return p.roundTrip + time.Duration(bytes)*time.Second/time.Duration(p.bytesPerSecond)
}

// On every link most of the time goes into bytes, and no step holds up what shares the link for long.
func TestFlowFitsTheLink(t *testing.T) {
	const timeout = 500 * time.Millisecond
	for _, p := range []path{
		{250_000, 10 * time.Millisecond},
		{250_000, 90 * time.Millisecond},
		{1_000_000, 240 * time.Millisecond},
		{10_000_000, 90 * time.Millisecond},
		{5_000_000, 900 * time.Millisecond},
		{1_000_000_000, 100 * time.Microsecond},
	} {
		t.Run(fmt.Sprint(p), func(t *testing.T) {
			f := NewFlow(4<<20, timeout, timeout)
			var bytes int
			var took, longest time.Duration
			for i := range 200 {
				d := p.takes(f.Bytes())
				if i >= 20 {
					bytes += f.Bytes()
					took += d
					longest = max(longest, d-p.roundTrip)
				}
				if i > 0 && d > f.Patience() {
					t.Fatalf("step %d of %d bytes takes %v, longer than the patience of %v", i, f.Bytes(), d, f.Patience())
				}
				f.Took(d, f.Bytes())
			}
			if share := float64(bytes) / took.Seconds() / float64(p.bytesPerSecond); share < 0.3 {
				t.Errorf("%.2f of the bandwidth is used", share)
			}
			if limit := 9 * max(timeout/4, p.roundTrip/2) / 4; longest > limit {
				t.Errorf("a step occupies the link for %v, want at most %v", longest, limit)
			}
		})
	}
}

// A link that becomes slow is noticed: steps shrink at once, and an answer that is late is waited for.
func TestFlowFollowsALinkThatBecomesSlow(t *testing.T) {
	const timeout = 500 * time.Millisecond
	fast, slow := path{1_000_000_000, time.Millisecond}, path{250_000, 10 * time.Millisecond}
	f := NewFlow(1<<20, timeout, timeout)
	for range 20 {
		f.Took(fast.takes(f.Bytes()), f.Bytes())
	}
	if f.Bytes() != 1<<20 {
		t.Fatalf("steps of %d bytes on a fast link", f.Bytes())
	}
	f.Took(slow.takes(f.Bytes()), f.Bytes())
	if f.Bytes() != 1<<19 || f.Patience() < 16*time.Second {
		t.Errorf("after a slow answer: %d bytes, patience %v", f.Bytes(), f.Patience())
	}
	for range 40 {
		f.Took(slow.takes(f.Bytes()), f.Bytes())
	}
	if f.Bytes() > 64<<10 || f.Patience() > 2*time.Second {
		t.Errorf("at its new pace: %d bytes, patience %v", f.Bytes(), f.Patience())
	}
}

// In silence the patience grows up to a bound, and an answer ends that.
func TestFlowWaitsLongerInSilence(t *testing.T) {
	f := NewFlow(1<<20, time.Second, 10*time.Millisecond)
	if f.Patience() != time.Second {
		t.Errorf("patience with a peer that nothing is known of: %v", f.Patience())
	}
	f.Took(time.Millisecond, f.Bytes())
	if f.Patience() != 10*time.Millisecond {
		t.Errorf("patience with a fast peer: %v", f.Patience())
	}
	last := f.Patience()
	for range maxSilences {
		f.Silent()
		if f.Patience() != 2*last {
			t.Fatalf("patience %v after %v", f.Patience(), last)
		}
		last = f.Patience()
	}
	for range 100 {
		f.Silent()
	}
	if f.Patience() != last || f.Bytes() != leastBytes {
		t.Errorf("after a long silence: patience %v, %d bytes", f.Patience(), f.Bytes())
	}
	f.Took(time.Millisecond, f.Bytes())
	if f.Patience() != 10*time.Millisecond {
		t.Errorf("patience after an answer: %v", f.Patience())
	}
}

// A way that has become longer is not taken for a narrow one for ever, however much longer it is.
func TestFlowFindsALongerRoundTrip(t *testing.T) {
	for _, d := range []time.Duration{20, 26, 30, 50, 400} {
		f := NewFlow(1<<20, 100*time.Millisecond, time.Second)
		f.Took(time.Millisecond, f.Bytes())
		for range 300 {
			f.Took(d*time.Millisecond, f.Bytes())
		}
		if f.Bytes() != 1<<20 {
			t.Errorf("steps of %d bytes, although their time of %d ms is all round trip", f.Bytes(), d)
		}
	}
}

// Small answers that are quick are no reason to ask for large ones.
func TestFlowGrowsWithWhatItCarries(t *testing.T) {
	f := NewFlow(1<<20, time.Second, time.Second)
	for range 100 {
		f.Took(time.Millisecond, 100)
	}
	if f.Bytes() != startBytes {
		t.Errorf("steps of %d bytes after answers of 100", f.Bytes())
	}
}
