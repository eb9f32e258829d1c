// Command replica runs one replica of a Multi-Paxos cluster.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"paxosbench/replica"
)

func main() {
	var c cli
	parser := kong.Must(&c, append(options(), kong.Exit(exitUsage))...)
	parser.FatalIfErrorf(parse(parser, os.Args[1:]))
	useHugePages()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := replica.Run(ctx, c.Config, newLogger(&c)); err != nil {
		fmt.Fprintln(os.Stderr, "replica:", err)
		os.Exit(1)
	}
}

func newLogger(c *cli) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	var handler slog.Handler = slog.NewTextHandler(os.Stderr, options)
	if c.LogFormat == "json" {
		handler = slog.NewJSONHandler(os.Stderr, options)
	}
	return slog.New(handler).With("replica", c.ID)
}

// exitUsage turns kong's exit code for bad usage into the customary 2.
func exitUsage(code int) {
	if code != 0 {
		code = 2
	}
	os.Exit(code)
}
