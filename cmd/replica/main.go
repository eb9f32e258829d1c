//go:build linux

// Command replica runs one replica of a Multi-Paxos cluster.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"paxosbench/cmd/program"
	"paxosbench/replica"
)

func main() {
	var c cli
	parser := kong.Must(&c, append(c.options(), kong.Exit(exitUsage))...)
	if program.Complete(parser) {
		return
	}
	parser.FatalIfErrorf(c.parse(parser, os.Args[1:]))
	if c.Check {
		return
	}
	c.Version, c.OwnProcess = program.ThisVersion(), true
	useHugePages()
	program.SpareProcessor()
	os.Exit(run(&c))
}

// run runs the replica until a signal or an error ends it, and returns the exit code.
func run(c *cli) int {
	signal.Ignore(syscall.SIGPIPE) // of standard error: its end is the log's affair, see logSink
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	sink := newLogSink(stderr(), c.handler)
	defer sink.close()
	log := slog.New(c.handler(sink)).With("replica", c.ID)
	slog.SetDefault(log) // what libraries log goes the same way
	ignoreHangups(log)
	if err := replica.Run(ctx, c.Config, log); err != nil {
		fmt.Fprintln(sink, "replica:", err)
		return 1
	}
	return 0
}

// ignoreHangups keeps the replica alive when the terminal that it was started from closes. There is nothing to read
// anew, either: the configuration is read once.
func ignoreHangups(log *slog.Logger) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		for range hangups {
			log.Info("SIGHUP ignored: the configuration is read at the start only; SIGTERM or SIGINT ends the replica")
		}
	}()
}

// handler formats log lines for w.
func (c *cli) handler(w io.Writer) slog.Handler {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.NewJSONHandler(w, options)
	}
	return slog.NewTextHandler(w, options)
}

// exitUsage turns kong's exit code for bad usage into the customary 2.
func exitUsage(code int) {
	if code != 0 {
		code = 2
	}
	os.Exit(code)
}
