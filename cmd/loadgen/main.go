// Command loadgen loads a cluster of replicas and measures what it does. See loadgen --help.
package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"paxosbench/bench/load"
	"paxosbench/bench/record"
)

// Exit codes. Scripts rely on them.
const (
	exitValid       = 0   // also degraded: with reasons
	exitInternal    = 1   // the generator itself failed
	exitUsage       = 2   // the command line makes no sense
	exitUnreachable = 3   // no leader, or no replica reachable
	exitErrors      = 4   // more operations failed than --max-errors allows
	exitObjective   = 5   // the objective was missed, or no rate meets it
	exitInvalid     = 6   // the load, or what --at was to do, did not come about: the figures say nothing
	exitWrong       = 7   // verification failed
	exitOutput      = 8   // the results could not be written
	exitInterrupted = 130 // what was measured was written all the same
)

const description = `Load a cluster of replicas and measure what it does.

Latency counts from the moment an operation was due, not from the moment it was sent. How late it was
sent is reported beside it, and a run that could not hold its schedule ends with exit code 6 instead
of a figure.

Rates are per second: 100, 50k, 1.5M. Sizes are bytes: 16, 1KiB, 4kB. Durations: 500ms, 10s, 2m.

Exit codes: 0 valid, or degraded for the reasons given; 1 internal error; 2 usage; 3 no leader
reachable, or a name that is not known; 4 too many errors; 5 objective missed; 6 invalid run; 7
verification failed; 8 results that cannot be written; 130 interrupted (what was measured is written
all the same).`

// cli is the command line.
type cli struct {
	Run    runCommand    `cmd:"" help:"Run one load, in an open or a closed loop."`
	Ramp   rampCommand   `cmd:"" help:"Run open loops at rising rates."`
	Search searchCommand `cmd:"" help:"Find the highest rate that is held and meets an objective."`
	Merge  mergeCommand  `cmd:"" help:"Merge the results of generators that ran together."`
	Report reportCommand `cmd:"" help:"Render results as text, tables, logs or graphs."`
}

func main() { os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr)) }

// helpColumns is the width that help is wrapped to.
const helpColumns = 100

// execute parses the arguments, carries out the command and returns the exit code.
func execute(args []string, stdout, stderr io.Writer) int {
	var c cli
	helped := false
	parser, err := kong.New(&c,
		kong.Name("loadgen"),
		kong.Description(description),
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: helpColumns}),
		kong.ExplicitGroups(flagGroups),
		reportWords(),
		durationText,
	)
	if err != nil {
		fmt.Fprintln(stderr, "loadgen:", err)
		return exitInternal
	}
	ctx, err := parser.Parse(args)
	if helped {
		return exitValid
	}
	if err != nil {
		fmt.Fprintf(stderr, "loadgen: %v (see loadgen %s--help)\n", err, commandOf(err))
		return exitUsage
	}
	return exitCode(ctx.Run(&streams{stdout, stderr}), stderr)
}

// commandOf returns the command whose flags an error is about, with a blank behind it, or nothing.
func commandOf(err error) string {
	var wrong *kong.ParseError
	if !errors.As(err, &wrong) || wrong.Context.Selected() == nil {
		return ""
	}
	return wrong.Context.Selected().Name + " "
}

// durationText has durations read with a remedy in the message.
var durationText = kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("duration", &text); err != nil {
		return err
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("duration %q: want a number with a unit, as in 500ms, 10s or 2m", text)
	}
	target.SetInt(int64(d))
	return nil
}))

// streams are where commands write.
type streams struct{ out, err io.Writer }

// same reports whether both streams are one terminal, file or pipe.
func (s *streams) same() bool {
	out, isFile := s.out.(*os.File)
	err, isFileToo := s.err.(*os.File)
	if !isFile || !isFileToo {
		return false
	}
	outInfo, outErr := out.Stat()
	errInfo, errErr := err.Stat()
	return outErr == nil && errErr == nil && os.SameFile(outInfo, errInfo)
}

// exitError carries an exit code with the error that leads to it.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func usage(err error) error { return &exitError{exitUsage, err} }

// exitCode reports an error and returns the code for it. What carries no code of its own is told apart by its cause.
func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return exitValid
	}
	fmt.Fprintf(stderr, "loadgen: %v\n", err)
	var coded *exitError
	var lookup *net.DNSError
	switch {
	case errors.As(err, &coded):
		return coded.code
	case errors.Is(err, load.ErrUnreachable), errors.As(err, &lookup):
		return exitUnreachable
	case errors.Is(err, record.ErrOutput), errors.Is(err, syscall.ENOSPC):
		return exitOutput
	}
	return exitInternal
}

// verdictError turns what is wrong with a result into an error with its exit code, the gravest first. latency is the
// histogram that an objective is about.
func verdictError(r *record.Result, latency *record.Histogram, maxErrors float64, objective load.Objective, interrupted bool) error {
	bad := float64(r.Ops.Failed + r.Ops.TimedOut)
	switch {
	case r.Verification.Violations > 0:
		return &exitError{exitWrong, fmt.Errorf("verification failed: %d wrong answers; %s", r.Verification.Violations, strings.Join(r.Verification.Reports, "; "))}
	case interrupted:
		return &exitError{exitInterrupted, errors.New("interrupted")}
	case bad > maxErrors*float64(r.Ops.Sent):
		return &exitError{exitErrors, fmt.Errorf("%.0f of %d operations failed or timed out", bad, r.Ops.Sent)}
	case r.Verdict == record.Invalid:
		return &exitError{exitInvalid, fmt.Errorf("the run is invalid, its figures do not describe the replicas under the load that was asked for: %s", strings.Join(r.Reasons, "; "))}
	case !objective.Met(latency):
		return &exitError{exitObjective, fmt.Errorf("objective %v missed: %s", objective, record.Ns(int64(latency.Percentile(objective.Percentile))))}
	}
	return nil
}
