//go:build linux

package main

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"github.com/alecthomas/kong"

	"paxosbench/cmd/program"
	"paxosbench/replica"
)

type cli struct {
	replica.Config
	ConfigFile kong.ConfigFlag `name:"config" placeholder:"FILE" help:"YAML file with the same names as the flags and the same values; flags win."`
	Check      bool            `name:"check" help:"Read flags and configuration file and start nothing: exit code 0 if they are right, 2 if not."`
	LogLevel   slog.Level      `name:"log-level" default:"info" help:"debug, info, warn or error."`
	LogFormat  string          `name:"log-format" default:"text" help:"text or json, on standard error."`

	ShowVersion program.VersionFlag `name:"version" help:"Print which version of the program this is."`

	problems problems
}

// Validate reports every violation at once, each with the place in the file if its setting is from there. The parser calls
// it.
func (c *cli) Validate() error {
	var list []error
	if joined, ok := c.Config.Validate().(interface{ Unwrap() []error }); ok {
		list = joined.Unwrap()
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		list = append(list, &replica.Violation{Setting: "log-format", Text: fmt.Sprintf("%q, want text or json", c.LogFormat)})
	}
	for i, err := range list {
		var v *replica.Violation
		if errors.As(err, &v) {
			list[i] = fmt.Errorf("%s%w", c.problems.origins[v.Setting], v)
		}
	}
	return errors.Join(list...)
}

func (c *cli) options() []kong.Option {
	return []kong.Option{
		kong.Name("replica"),
		kong.Description("One replica of a batched Multi-Paxos cluster. It ends on SIGINT or SIGTERM with exit code 0; 1: it could not start or had to stop; 2: usage. SIGHUP is ignored."),
		kong.Configuration(c.problems.loadConfig),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
	}
}

// parse reads the command line and the configuration file, and reports everything that is wrong with them at once: the
// values that cannot be read beside the violations that Validate finds. By itself the parser would stop at the first value.
func (c *cli) parse(parser *kong.Kong, args []string) error {
	c.problems.origins = map[string]string{}
	for _, flag := range parser.Model.Flags {
		flag.Mapper = &lenient{flag.Mapper, &c.problems}
	}
	_, err := parser.Parse(args)
	for _, f := range c.problems.files {
		f.checkKeys(parser.Model.Flags)
	}
	return errors.Join(errors.Join(c.problems.list...), err)
}

// problems gathers what is wrong with command line and configuration file.
type problems struct {
	list    []error
	files   []*configFile
	origins map[string]string // of flags whose value is from a file: "FILE:LINE: "
}

func (p *problems) add(err error) { p.list = append(p.list, err) }

// lenient keeps the error of a value that cannot be read and goes on with the flag's default, which Validate has nothing
// to say against.
type lenient struct {
	kong.Mapper
	problems *problems
}

// Decode implements kong.Mapper.
func (l *lenient) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	list, ok := ctx.Scan.Peek().Value.([]any)
	if !ok {
		return l.decodeOne(ctx, target)
	}
	ctx.Scan.Pop()
	for _, text := range list {
		one := ctx.WithScanner(kong.ScanAsType(kong.FlagValueToken, text.(string)))
		if err := l.decodeOne(one, target); err != nil {
			return err
		}
	}
	return nil
}

func (l *lenient) decodeOne(ctx *kong.DecodeContext, target reflect.Value) error {
	given := ctx.Scan.Peek().Value
	err := l.Mapper.Decode(ctx, target)
	if err == nil {
		return nil
	}
	if _, ok := target.Interface().(time.Duration); ok {
		err = fmt.Errorf("%q, want a time with its unit, like 50ms or 2s", given)
	}
	name := ctx.Value.Name
	l.problems.add(fmt.Errorf("%s%s: %w", l.problems.origins[name], name, err))
	if !ctx.Value.HasDefault {
		return nil
	}
	return l.Mapper.Decode(ctx.WithScanner(kong.ScanAsType(kong.FlagValueToken, ctx.Value.Default)), target)
}
