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

type cli struct {
	replica.Config
	ConfigFile kong.ConfigFlag `name:"config" placeholder:"FILE" help:"YAML file with the same names as the flags; flags win."`
	LogLevel   slog.Level      `name:"log-level" default:"info" help:"debug, info, warn or error."`
	LogFormat  string          `name:"log-format" default:"text" enum:"text,json" help:"text or json, on standard error."`
}

func main() {
	var c cli
	kong.Parse(&c,
		kong.Name("replica"),
		kong.Description("One replica of a batched Multi-Paxos cluster. It ends on SIGINT or SIGTERM with exit code 0; 1: it could not start or had to stop; 2: usage."),
		kong.Configuration(loadYAML),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Exit(exitUsage),
	)
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
