package load_test

import (
	"context"
	"fmt"
	"time"

	"paxosbench/bench/load"
	"paxosbench/bench/target"
)

// null is a system that has puts, and keeps nothing.
type null struct{}

func (null) Capabilities() target.Capabilities              { return target.Capabilities{} }
func (n null) Connect(context.Context) (target.Conn, error) { return n, nil }
func (null) Close() error                                   { return nil }
func (null) Submit(calls []*target.Call) error {
	for _, call := range calls {
		call.Complete(target.OK, nil)
	}
	return nil
}

// A run against a system of one's own. What it cannot do is not asked of it, and what nobody has checked is said.
func ExampleRun() {
	cfg := load.Default()
	cfg.System = target.Of("null", null{})
	cfg.Warmup, cfg.Duration, cfg.Interval = 10*time.Millisecond, 100*time.Millisecond, 50*time.Millisecond
	outcome, err := load.Run(context.Background(), &cfg, nil, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	r := outcome.Result
	fmt.Println("some throughput:", r.ThroughputOpsPerS > 0, "- wrong answers:", r.Verification.Violations)
	fmt.Println(r.Verification.NotChecked[0])
	// Output:
	// some throughput: true - wrong answers: 0
	// what was written was not read back: the system has no gets
}
