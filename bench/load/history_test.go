package load

import (
	"context"
	"testing"

	"paxosbench/bench/load/units"
	"paxosbench/bench/load/verify"
	"paxosbench/wire/client/clienttest"
)

// Right answers are not called wrong however many threads and generators write the sampled keys, also where some of them have
// filled their record earlier than others.
func TestHistoriesOfThreadsAndGenerators(t *testing.T) {
	server := listen(t, clienttest.Config{})
	for _, mix := range []string{"put:0.5,get:0.5", "put:0.3,get:0.4,delete:0.1,cas:0.2"} {
		for _, generators := range []int{1, 2} {
			outcomes := make([]*Outcome, generators)
			errs := make(chan error, generators)
			for i := range generators {
				cfg := shortConfig(server.Addr())
				cfg.Verify, cfg.Keys, cfg.Threads, cfg.Conns, cfg.Clients, cfg.Window = verify.History, 20, 2, 3, 3, 1
				cfg.Generator = units.GeneratorID{Index: i, Of: generators}
				cfg.Mix.UnmarshalText([]byte(mix))
				cfg.KeyDist.UnmarshalText([]byte("zipf:0.99"))
				go func() {
					var err error
					outcomes[i], err = Run(context.Background(), cfg, nil, nil)
					errs <- err
				}()
			}
			for range generators {
				if err := <-errs; err != nil {
					t.Fatal(err)
				}
			}
			for _, o := range outcomes {
				if v := o.Result.Verification; v.Violations != 0 || v.HistoryOps == 0 {
					t.Errorf("%s, %d generators: %+v", mix, generators, v)
				}
			}
		}
	}
}

// However many operations overlap, a history of writes and reads is decided.
func TestHistoriesOfManyOverlappingOperationsAreDecided(t *testing.T) {
	server := listen(t, clienttest.Config{})
	cfg := shortConfig(server.Addr())
	cfg.Verify, cfg.Keys, cfg.Window, cfg.Preload = verify.History, 10, 512, true
	cfg.Mix.UnmarshalText([]byte("put:0.5,get:0.5"))
	cfg.KeyDist.UnmarshalText([]byte("zipf:0.99"))
	r, err := Run(context.Background(), cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if v := r.Result.Verification; v.HistoryUndecided != 0 || v.HistoryOps < 1000 || v.History != "ok" {
		t.Errorf("%+v", v)
	}
}
