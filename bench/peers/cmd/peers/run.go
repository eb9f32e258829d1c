//go:build linux

package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"paxosbench/bench"
	"paxosbench/bench/cluster"
	"paxosbench/bench/peers/suites"
	"paxosbench/bench/peers/systems"
	"paxosbench/bench/suite"
	"paxosbench/cmd/bench/suitecmd"
	"paxosbench/cmd/program"
)

// runCommand is peers run: bench run with more systems.
type runCommand struct{ suitecmd.RunCommand }

// Help is the text below the usage line.
func (*runCommand) Help() string {
	return `Examples:
  peers run peers-smoke && peers table results/peers-smoke
  peers run peers --only etcd --only paxosbench --out results/etcd
  peers run peers --only 'system=redis in-flight=64' --repeats 10 --out results/one-cell`
}

// Run carries out peers run.
func (c *runCommand) Run(s *program.Session) error {
	self, bin, err := cluster.Programs(c.Bin)
	if err != nil {
		return err
	}
	for i, only := range c.Only {
		if !strings.Contains(only, "=") {
			c.Only[i] = suite.KnobSystem + "=" + only
		}
	}
	all := systems.All()
	c.Variant = suitecmd.Variant{
		Program: "bin/peers", Suites: suites.Load,
		Select: func(plan []suite.Planned) []suite.Planned { return installed(s.Err, all, bin, plan) },
	}
	c.Extend = func(l *bench.Local) { l.Others, l.Loader = all, []string{self, "load"} }
	return c.RunCommand.Run(s)
}

// installed leaves out the runs of systems that are not there, and says so.
func installed(w io.Writer, all map[string]*cluster.System, bin string, plan []suite.Planned) []suite.Planned {
	missing := make(map[string]bool)
	kept := slices.DeleteFunc(slices.Clone(plan), func(p suite.Planned) bool {
		s := all[p.Cell.Get(suite.KnobSystem)]
		if s == nil { // ours, or one that nobody knows, whose runs fail
			return false
		}
		if lacks := s.Missing(bin); lacks != "" && !missing[s.Name] {
			missing[s.Name] = true
			fmt.Fprintf(w, "peers: %s is left out: there is no %s; install it: %s\n", s.Name, lacks, s.Install)
		}
		return missing[s.Name]
	})
	for i := range kept {
		kept[i].Order = i + 1
	}
	return kept
}

// listCommand is peers list.
type listCommand struct{}

// Run carries out peers list.
func (*listCommand) Run(s *program.Session) error {
	_, bin, err := cluster.Programs("")
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "system\treplicas\tdurability\tinstalled")
	all := systems.All()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		one, there := all[name], "yes"
		if lacks := one.Missing(bin); lacks != "" {
			there = fmt.Sprintf("no (%s): %s", lacks, one.Install)
		}
		replicas := suite.DefaultReplicas
		if one.Replicas != 0 {
			replicas = one.Replicas
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\n", name, replicas, strings.Join(one.Durability, ", "), there)
	}
	return table.Flush()
}
