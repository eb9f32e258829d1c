//go:build linux

package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"paxosbench/bench/suite"
	"paxosbench/bench/suites"
	"paxosbench/cmd/bench/suitecmd"
	"paxosbench/cmd/program"
)

// listCommand is bench list.
type listCommand struct {
	Names bool `help:"Only the names, one to a line."`
}

// Run carries out bench list.
func (c *listCommand) Run(s *program.Session) error {
	if c.Names {
		_, err := fmt.Fprintln(s.Out, strings.Join(suites.Names(), "\n"))
		return err
	}
	table := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "suite\tcells\truns\ttakes\tquestion")
	var total time.Duration
	for _, name := range suites.Names() {
		of, _, err := suites.Load(name)
		if err != nil {
			return err
		}
		plan := of.Plan(1, of.Repeats)
		takes := suite.Estimate(plan, of.Warmup, of.Duration)
		total += takes
		fmt.Fprintf(table, "%s\t%d\t%d\t%v\t%s\n", name, len(of.Cells()), len(plan), suitecmd.Rounded(takes), of.Question)
	}
	fmt.Fprintf(table, "all\t\t\t%v\t\n", suitecmd.Rounded(total))
	return table.Flush()
}
