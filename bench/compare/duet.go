package compare

import (
	"context"
	"errors"
	"sync"
)

// duet measures A and B at the same time, each kept to a processor, and then once more with the processors exchanged. What
// disturbs the host disturbs both alike and cancels out (Bulej and others, Duet Benchmarking, ICPE 2020), and so does a
// processor that is slower than the other.
func (c *Config) duet(ctx context.Context, at places, pair int) (made, error) {
	var all made
	for round := range 2 {
		a := at[place{"A", c.Duet[(pair+round)%2]}]
		b := at[place{"B", c.Duet[(pair+round+1)%2]}]
		if err := together(ctx, pair, a, b); err != nil {
			return made{}, err
		}
		all.a, all.b = append(all.a, a.made), append(all.b, b.made)
	}
	return all, nil
}

// together makes a run of each of two sides, whose loads begin at the same time.
func together(ctx context.Context, pair int, sides ...*side) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(sides))
	begin := make(chan struct{})
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
	ready.Wait()
	close(begin)
	done.Wait()
	return first(errs)
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
