package compare

import (
	"context"
	"errors"
	"sync"
	"time"
)

// exchangeEvery is how often the two sides of a duet exchange their processors: often enough for what disturbs one of these
// to disturb both sides, and so seldom that filling the caches anew costs little.
const exchangeEvery = 100 * time.Millisecond

// duet measures A and B at the same time, each kept to a processor. What disturbs the host disturbs both alike and cancels
// out (Bulej and others, Duet Benchmarking, ICPE 2020); what disturbs one processor, or makes it slower than the other, does
// so too, as the sides exchange them all the time.
func (c *Config) duet(ctx context.Context, hosts Hosts, pair int, first, second *side) error {
	seat := func(turn int) error {
		turn += pair // so that each begins on either
		return hosts.Seat(c.Duet[turn%2], c.Duet[(turn+1)%2])
	}
	if err := seat(0); err != nil {
		return err
	}
	return together(ctx, pair, seat, first, second)
}

// together makes a run of each of two sides, whose loads begin at the same time, and calls exchange with 1, 2, 3.. while
// they last.
func together(ctx context.Context, pair int, exchange func(turn int) error, sides ...*side) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(sides))
	begin, over := make(chan struct{}), make(chan struct{})
	var ready, done sync.WaitGroup
	ready.Add(len(sides))
	for i, s := range sides {
		done.Go(func() {
			arrive := sync.OnceFunc(ready.Done)
			defer arrive() // one that comes to nothing keeps nobody waiting
			errs[i] = s.run(ctx, pair, func(ctx context.Context) error {
				arrive()
				select {
				case <-begin:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})
			if errs[i] != nil {
				cancel()
			}
		})
	}
	go func() {
		done.Wait()
		close(over)
	}()
	ready.Wait()
	close(begin)
	err := every(exchangeEvery, over, exchange)
	if err != nil {
		cancel()
		<-over
	}
	return first(append(errs, err))
}

// every calls a function with 1, 2, 3.. until a channel is closed or the function fails.
func every(d time.Duration, over <-chan struct{}, call func(int) error) error {
	ticker := time.NewTicker(d)
	defer ticker.Stop()
	for turn := 1; ; turn++ {
		select {
		case <-over:
			return nil
		case <-ticker.C:
		}
		if err := call(turn); err != nil {
			return err
		}
	}
}

// first returns what ended the runs: not that one of them was ended because of the other.
func first(errs []error) error {
	var canceled error
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
		canceled = errors.Join(canceled, err)
	}
	return canceled
}
