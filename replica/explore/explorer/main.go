// Command explorer walks through the small scopes of replica/explore; see its help and scripts/explore.sh.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/sync/errgroup"

	"paxosbench/replica/explore"
)

type cli struct {
	Only     string  `help:"Walk only through scopes whose name contains this." placeholder:"TEXT"`
	States   int     `help:"States of each scope to visit at most." default:"5000000"`
	Until    bool    `help:"Stop at the first violation, as for mutants."`
	Memory   float64 `help:"GiB of memory, which bound the states of each scope." default:"4"`
	Parallel int     `help:"Scopes at a time." default:"2"`
}

// Validate refuses what would visit nothing and call it success. The parser calls it.
func (c *cli) Validate() error {
	var errs []error
	if c.States < 1 {
		errs = append(errs, fmt.Errorf("states %d: want 1 or more", c.States))
	}
	if c.Memory < 0.1 {
		errs = append(errs, fmt.Errorf("memory %v: want 0.1 GiB or more", c.Memory))
	}
	if c.Parallel < 1 {
		errs = append(errs, fmt.Errorf("parallel %d: want 1 or more", c.Parallel))
	}
	if len(c.scopes()) == 0 {
		errs = append(errs, fmt.Errorf("only %q: no scope is called that; they are in replica/explore/scopes.go", c.Only))
	}
	return errors.Join(errs...)
}

func (c *cli) scopes() []explore.Scope {
	return slices.DeleteFunc(slices.Clone(explore.Scopes), func(s explore.Scope) bool { return !strings.Contains(s.Name, c.Only) })
}

// states returns how many states of one scope are visited at most. Half of the memory is for what else there is: the states of single
// replicas, what each event does to them, and what the collector has not found yet.
func (c *cli) states() int {
	return min(c.States, int(c.Memory*(1<<30))/2/c.Parallel/explore.StateBytes)
}

func main() {
	var c cli
	kong.Parse(&c, kong.Name("explorer"), kong.Description(
		"All states that small clusters can reach, scope by scope. Exit code 0: none violates an invariant; 1: one does, and its shortest transcript is printed; 2: usage."),
		kong.Exit(func(code int) { os.Exit(min(2*code, 2)) }))
	debug.SetMemoryLimit(int64(c.Memory * (1 << 30)))
	os.Exit(c.run())
}

// row is the form of the table.
const row = "%-30s %10v %6v %12v %9v %9v %8v  %s\n"

// run walks through the scopes, some at a time, and prints a line for each.
func (c *cli) run() int {
	fmt.Printf(row, "scope", "states", "depth", "transitions", "replica's", "messages", "seconds", "")
	start, states, violations := time.Now(), 0, 0
	for r := range c.reports() {
		states += r.States
		end := "not exhausted"
		if r.Exhausted {
			end = "exhausted"
		}
		if r.Violation != nil {
			violations++
			end = "VIOLATION"
		}
		fmt.Printf(row, r.Scope.Name, r.States, r.Depth, r.Transitions, r.Locals, r.Messages, fmt.Sprintf("%.1f", r.Took.Seconds()), end)
		if r.Violation != nil {
			fmt.Printf("VIOLATION after %d states: %v\n%s", states, r.Violation, r.Transcript)
			if c.Until {
				return 1
			}
		}
	}
	fmt.Printf("%d states in %.0f s, %d violations\n", states, time.Since(start).Seconds(), violations)
	return min(violations, 1)
}

func (c *cli) reports() <-chan *explore.Report {
	reports := make(chan *explore.Report)
	go func() {
		defer close(reports)
		var group errgroup.Group
		group.SetLimit(c.Parallel)
		for _, scope := range c.scopes() {
			group.Go(func() error {
				report, err := explore.Run(scope, explore.Limits{States: c.states()}, progress)
				if err != nil {
					panic("BUG: " + err.Error()) // a test has validated them
				}
				reports <- report
				return nil
			})
		}
		_ = group.Wait() // none returns an error
	}()
	return reports
}

func progress(r *explore.Report) {
	fmt.Fprintf(os.Stderr, "%s: %d states, depth %d, %.0f s\n", r.Scope.Name, r.States, r.Depth, r.Took.Seconds())
}
