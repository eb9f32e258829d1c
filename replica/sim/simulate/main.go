// Command simulate runs seeds of the simulator; see its help and scripts/simulate.sh.
package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/sync/errgroup"

	"paxosbench/replica/sim"
)

type cli struct {
	Seeds    uint64  `help:"Number of seeds to run." default:"1000"`
	From     *uint64 `help:"First seed. Default: at random, and printed."`
	Seed     *uint64 `help:"Run this one seed, twice, and compare the transcripts." xor:"one"`
	Parallel int     `help:"Seeds at a time. 0: one per processor." default:"0"`
	Verbose  bool    `help:"With --seed: print the transcript, a line per event."`
	Until    bool    `help:"Stop at the first violation, as for mutants."`
}

// Validate refuses what would test nothing and call it success. The parser calls it.
func (c *cli) Validate() error {
	if c.Seeds < 1 {
		return fmt.Errorf("seeds %d: want 1 or more", c.Seeds)
	}
	if c.Parallel < 0 {
		return fmt.Errorf("parallel %d: want 1 or more, or 0 for one per processor", c.Parallel)
	}
	return nil
}

func main() {
	var c cli
	kong.Parse(&c, kong.Name("simulate"), kong.Description(
		"Simulated clusters under simulated faults, one per seed. Exit code 0: no seed violates anything; 1: one does, and a line says how to replay it; 2: usage."),
		kong.Exit(func(code int) { os.Exit(min(2*code, 2)) }))
	if c.Seed != nil {
		os.Exit(one(*c.Seed, c.Verbose))
	}
	os.Exit(c.campaign())
}

// one runs a seed twice: it must do the same.
func one(seed uint64, verbose bool) int {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	var first *sim.Report
	if verbose {
		first = sim.Run(seed, out)
	} else {
		first = sim.Run(seed, nil)
	}
	second := sim.Run(seed, nil)
	fmt.Fprintf(out, "%s\ntranscript %016x, again %016x\n", first.Plan, first.Hash, second.Hash)
	if first.Hash != second.Hash {
		fmt.Fprintln(out, "the two transcripts differ")
		return 1
	}
	if first.Err != nil {
		fmt.Fprintln(out, "VIOLATION:", first.Err)
		return 1
	}
	return 0
}

// enoughSeeds is how many seeds should have everything in them.
const enoughSeeds = 1000

// campaign runs many seeds and sums up.
func (c *cli) campaign() int {
	from := rand.Uint64N(1 << 40)
	if c.From != nil {
		from = *c.From
	}
	if c.Parallel == 0 {
		c.Parallel = runtime.GOMAXPROCS(0)
	}
	fmt.Printf("seeds %d to %d\n", from, from+c.Seeds-1)
	start, sum, done, failed := time.Now(), sim.Counts{}, uint64(0), 0
	for r := range c.reports(from) {
		done++
		sum.Add(&r.Counts)
		if r.Err != nil {
			failed++
			fmt.Printf("VIOLATION after %d seeds: %v\n  %s\n  replay: scripts/simulate.sh --seed %d --verbose\n", done, r.Err, r.Plan, r.Seed)
			if c.Until {
				return 1
			}
		}
		if done%500 == 0 {
			fmt.Fprintf(os.Stderr, "%d of %d seeds, %.0f/s\n", done, c.Seeds, float64(done)/time.Since(start).Seconds())
		}
	}
	fmt.Printf("%d seeds in %v, %d violations\n%s\n", done, time.Since(start).Round(time.Second), failed, &sum)
	if names := sum.Missing(); done >= enoughSeeds && len(names) > 0 {
		fmt.Printf("not tested, because it has not happened once: %s\n", strings.Join(names, ", "))
		return 1
	}
	return min(failed, 1)
}

// reports runs the seeds side by side.
func (c *cli) reports(from uint64) <-chan *sim.Report {
	reports := make(chan *sim.Report, c.Parallel)
	go func() {
		defer close(reports)
		var group errgroup.Group
		group.SetLimit(c.Parallel)
		for i := range c.Seeds {
			group.Go(func() error {
				reports <- sim.Run(from+i, nil)
				return nil
			})
		}
		_ = group.Wait() // nothing returns an error
	}()
	return reports
}
