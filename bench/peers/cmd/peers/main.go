//go:build linux

// Command peers measures this project's replicas and other systems side by side. See peers --help and docs/peers.md.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"paxosbench/cmd/bench/clustercmd"
	"paxosbench/cmd/bench/suitecmd"
	"paxosbench/cmd/program"
)

const description = `Measure this project's replicas and other systems side by side: under one load generator, in one
interleaved run, by equal numbers of commands in flight. A system that is not installed is left out, and
it is said how to install it.

Exit codes: 0 done; 1 internal error; 2 usage; 3 not one run succeeded; 130 interrupted (what was
done is kept, see --resume).`

// cli is the command line.
type cli struct {
	Run    runCommand             `cmd:"" help:"Carry out a suite: peers, peers-failover, peers-faults or peers-smoke, or a YAML file."`
	Table  tableCommand           `cmd:"" help:"Print what came of it as a table, and how far the systems are from this project."`
	Report suitecmd.ReportCommand `cmd:"" help:"Draw the graphs of a results directory and write its report."`
	List   listCommand            `cmd:"" help:"List the systems, and how to install those that are not."`
	Load   loadCommand            `cmd:"" help:"Load a cluster of any of the systems: one run. Called by run."`

	Version program.VersionFlag `help:"Print which version of the program this is."`
}

func main() {
	program.SpareProcessor()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // so that a second interrupt ends the process at once
	os.Exit(execute(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// execute parses the arguments, carries out the command and returns the exit code.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	p := program.Program{Name: "peers", Description: description, Code: clustercmd.Code}
	var c cli
	return p.Execute(&program.Session{Ctx: ctx, Args: args, Out: stdout, Err: stderr}, &c)
}
