//go:build linux

// Command loadgen loads a cluster of replicas and measures what it does. See loadgen --help.
package main

import (
	"context"
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
	"paxosbench/bench/load/verdict"
	"paxosbench/bench/record"
	"paxosbench/cmd/program"
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

	Version program.VersionFlag `help:"Print which version of the program this is."`
}

func main() {
	program.SpareProcessor()
	os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr))
}

// execute parses the arguments, carries out the command and returns the exit code.
func execute(args []string, stdout, stderr io.Writer) int {
	p := program.Program{Name: "loadgen", Description: description, Code: codeOf,
		Options: []kong.Option{kong.ExplicitGroups(flagGroups), reportWords(), defaults(), durationText}}
	var c cli
	return p.Execute(&program.Session{Ctx: context.Background(), Args: args, Out: stdout, Err: stderr}, &c, &streams{stdout, stderr})
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

// coded gives an error an exit code.
func coded(code int, err error) error { return &program.Error{Code: code, Err: err} }

// codeOf returns the exit code of an error that carries none, by its cause; 0 if the cause is none that has a code.
func codeOf(err error) int {
	var lookup *net.DNSError
	switch {
	case errors.Is(err, load.ErrUnreachable), errors.As(err, &lookup):
		return exitUnreachable
	case errors.Is(err, record.ErrOutput), errors.Is(err, syscall.ENOSPC):
		return exitOutput
	}
	return exitValid
}

// verdictError turns what is wrong with a result into an error with its exit code, the gravest first. latency is the
// histogram that an objective is about.
func verdictError(r *record.Result, latency *record.Histogram, maxErrors float64, objective verdict.Objective, interrupted bool) error {
	bad := float64(r.Ops.Failed + r.Ops.TimedOut)
	switch {
	case r.Verification.Violations > 0:
		return coded(exitWrong, fmt.Errorf("verification failed: %d wrong answers; %s", r.Verification.Violations, strings.Join(r.Verification.Reports, "; ")))
	case interrupted:
		return coded(exitInterrupted, errors.New("interrupted"))
	case bad > maxErrors*float64(r.Ops.Sent):
		return coded(exitErrors, fmt.Errorf("%.0f of %d operations failed or timed out", bad, r.Ops.Sent))
	case r.Verdict == record.Invalid:
		return coded(exitInvalid, fmt.Errorf("the run is invalid, its figures do not describe the replicas under the load that was asked for: %s", strings.Join(r.Reasons, "; ")))
	case !objective.Met(latency):
		return coded(exitObjective, fmt.Errorf("objective %v missed: %s", objective, record.Ns(int64(latency.Percentile(objective.Percentile)))))
	}
	return nil
}
