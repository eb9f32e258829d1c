//go:build linux

// Command bench carries out suites of measurements and shows what came of them. See bench --help.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"paxosbench/bench/record"
	"paxosbench/cmd/bench/clustercmd"
	"paxosbench/cmd/bench/suitecmd"
	"paxosbench/cmd/program"
)

const description = `Carry out suites of measurements and show what came of them.

A suite is a question, axes of knobs, and graphs, in YAML. Each run has a cluster of its own, started
afresh on this host. Runs are kept one by one, so that a sweep can be interrupted and resumed; those
that failed or are invalid are kept with the reason.

Exit codes: 0 done; 1 internal error; 2 usage; 3 not one run succeeded; 8 results that cannot be
written; 130 interrupted (what was done is kept, see --resume).`

// cli is the command line.
type cli struct {
	Run       suitecmd.RunCommand    `cmd:"" help:"Carry out a suite."`
	Report    suitecmd.ReportCommand `cmd:"" help:"Draw the graphs of a results directory and write its report."`
	Flame     flameCommand           `cmd:"" help:"Draw a profile as a flame graph."`
	Compare   compareCommand         `cmd:"" help:"Measure two configurations against each other, in pairs."`
	Diff      diffCommand            `cmd:"" help:"Compare two results directories, cell by cell."`
	List      listCommand            `cmd:"" help:"List the suites that come with the program."`
	Cluster   clustercmd.Command     `cmd:"" help:"Start replicas on this host, stop them, kill them, cut them off."`
	Calibrate calibrateCommand       `cmd:"" help:"Measure this host's CPU, disk and loopback, for the bound in the graphs."`

	Version program.VersionFlag `help:"Print which version of the program this is."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // so that a second interrupt ends the process at once
	os.Exit(execute(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// execute parses the arguments, carries out the command and returns the exit code.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	p := program.Program{Name: "bench", Description: description, Code: codeOf, Options: []kong.Option{clustercmd.Defaults()}}
	var c cli
	return p.Execute(&program.Session{Ctx: ctx, Args: args, Out: stdout, Err: stderr}, &c, &c.Cluster)
}

// codeOf returns the exit code of an error that carries none, 0 if its cause has none.
func codeOf(err error) int {
	if errors.Is(err, record.ErrOutput) {
		return program.ExitOutput
	}
	return clustercmd.Code(err)
}
