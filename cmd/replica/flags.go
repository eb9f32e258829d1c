package main

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"

	"github.com/alecthomas/kong"

	"paxosbench/replica"
)

type cli struct {
	replica.Config
	ConfigFile kong.ConfigFlag `name:"config" placeholder:"FILE" help:"YAML file with the same names as the flags; flags win."`
	LogLevel   slog.Level      `name:"log-level" default:"info" help:"debug, info, warn or error."`
	LogFormat  string          `name:"log-format" default:"text" help:"text or json, on standard error."`
}

// Validate reports every violation at once. The parser calls it.
func (c *cli) Validate() error {
	err := c.Config.Validate()
	if c.LogFormat != "text" && c.LogFormat != "json" {
		err = errors.Join(err, fmt.Errorf("log-format: %q, want text or json", c.LogFormat))
	}
	return err
}

func options() []kong.Option {
	return []kong.Option{
		kong.Name("replica"),
		kong.Description("One replica of a batched Multi-Paxos cluster. It ends on SIGINT or SIGTERM with exit code 0; 1: it could not start or had to stop; 2: usage. SIGHUP is ignored."),
		kong.Configuration(loadYAML),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
	}
}

// parse reads the command line and the configuration file, and reports everything that is wrong with them at once: the
// values that cannot be read beside the violations that Validate finds. By itself the parser would stop at the first value.
func parse(parser *kong.Kong, args []string) error {
	var unread []error
	for _, flag := range parser.Model.Flags {
		flag.Mapper = &lenient{flag.Mapper, &unread}
	}
	_, err := parser.Parse(args)
	return errors.Join(errors.Join(unread...), err)
}

// lenient keeps the error of a value that cannot be read and goes on with the flag's default, which Validate has nothing
// to say against.
type lenient struct {
	kong.Mapper
	unread *[]error
}

// Decode implements kong.Mapper.
func (l *lenient) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	err := l.Mapper.Decode(ctx, target)
	if err == nil {
		return nil
	}
	*l.unread = append(*l.unread, fmt.Errorf("%s: %w", ctx.Value.Name, err))
	if !ctx.Value.HasDefault {
		return nil
	}
	return l.Mapper.Decode(ctx.WithScanner(kong.ScanAsType(kong.FlagValueToken, ctx.Value.Default)), target)
}
