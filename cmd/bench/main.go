// Command bench carries out suites of measurements and shows what came of them. See bench --help.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// Exit codes. Scripts rely on them; they agree with those of loadgen.
const (
	exitDone        = 0
	exitInternal    = 1   // the bench itself failed
	exitUsage       = 2   // the command line or the suite makes no sense
	exitUnreachable = 3   // not one run succeeded
	exitInterrupted = 130 // what was done is kept
)

const description = `Carry out suites of measurements and show what came of them.

A suite is a question, axes of knobs, and graphs, in YAML. Each run has a cluster of its own, started
afresh on this host. Runs are kept one by one, so that a sweep can be interrupted and resumed; those
that failed or are invalid are kept with the reason.

Exit codes: 0 done; 1 internal error; 2 usage; 3 not one run succeeded; 130 interrupted (what was
done is kept, see --resume).`

// cli is the command line.
type cli struct {
	Run       runCommand       `cmd:"" help:"Carry out a suite."`
	Report    reportCommand    `cmd:"" help:"Draw the graphs of a results directory and write its report."`
	Flame     flameCommand     `cmd:"" help:"Draw a profile as a flame graph."`
	Compare   compareCommand   `cmd:"" help:"Measure two configurations against each other, in pairs."`
	Diff      diffCommand      `cmd:"" help:"Compare two results directories, cell by cell."`
	List      listCommand      `cmd:"" help:"List the suites that come with the program."`
	Calibrate calibrateCommand `cmd:"" help:"Measure this host's CPU, disk and loopback, for the bound in the graphs."`
	Control   controlCommand   `cmd:"" hidden:"" help:"Do something to the cluster of a run under way."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // so that a second interrupt ends the process at once
	os.Exit(execute(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// helpColumns is the width that help is wrapped to.
const helpColumns = 100

// execute parses the arguments, carries out the command and returns the exit code.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c cli
	helped := false
	parser, err := kong.New(&c,
		kong.Name("bench"),
		kong.Description(description),
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: helpColumns}),
	)
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return exitInternal
	}
	parsed, err := parser.Parse(args)
	if helped {
		return exitDone
	}
	if err != nil {
		fmt.Fprintf(stderr, "bench: %v (see bench --help)\n", err)
		return exitUsage
	}
	return exitCode(parsed.Run(&session{ctx: ctx, args: args, out: stdout, err: stderr}), stderr)
}

// session is what commands work with: where they write, and what ends them.
type session struct {
	ctx      context.Context
	args     []string
	out, err io.Writer
}

// exitError carries an exit code with the error that leads to it.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func usage(err error) error { return &exitError{exitUsage, err} }

// exitCode reports an error and returns the code for it.
func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return exitDone
	}
	fmt.Fprintf(stderr, "bench: %v\n", err)
	var coded *exitError
	switch {
	case errors.As(err, &coded):
		return coded.code
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	}
	return exitInternal
}
