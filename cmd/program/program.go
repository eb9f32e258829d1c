// Package program is what the programs of this project have in common: how a command line is read and its command carried
// out, which exit codes there are, and which version of the program this is.
package program

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/alecthomas/kong"
)

// Exit codes that all programs share. Scripts rely on them.
const (
	ExitDone        = 0
	ExitInternal    = 1   // the program itself failed
	ExitUsage       = 2   // the command line makes no sense
	ExitOutput      = 8   // results could not be written
	ExitInterrupted = 130 // what was done is kept
)

// Session is what commands work with.
type Session struct {
	Ctx      context.Context // ends when the command is to end
	Args     []string
	Word     string // the name of the command
	Out, Err io.Writer
}

// Error carries an exit code with the error that leads to it.
type Error struct {
	Code int
	Err  error
}

// Error implements error.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the error that leads to the exit code.
func (e *Error) Unwrap() error { return e.Err }

// Usage makes an error one of usage.
func Usage(err error) error { return &Error{ExitUsage, err} }

// Program is one of the programs.
type Program struct {
	Name, Description string
	// Code returns the exit code of an error that carries none, 0 if it does not know one. It may be nil.
	Code func(error) int
	// Options are those of the parser beside the ones that all programs have.
	Options []kong.Option
}

// helpColumns is the width that help is wrapped to.
const helpColumns = 100

// Execute reads a command line into cli, carries out the command and returns the exit code. The command's Run may ask for
// a *Session, for what was read, and for what is in bindings.
func (p *Program) Execute(s *Session, cli any, bindings ...any) int {
	explained := false // by help, version or the like
	parser, err := kong.New(cli, append([]kong.Option{
		kong.Name(p.Name), kong.Description(p.Description), kong.Writers(s.Out, s.Err),
		kong.Exit(func(int) { explained = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: helpColumns}),
	}, p.Options...)...)
	if err != nil {
		return p.report(s.Err, fmt.Errorf("BUG: %w", err))
	}
	if Complete(parser) {
		return ExitDone
	}
	parsed, err := parser.Parse(s.Args)
	if explained {
		return ExitDone
	}
	if err != nil {
		return p.report(s.Err, Usage(fmt.Errorf("%w (see %s --help)", err, p.command(err))))
	}
	if command := parsed.Selected(); command != nil { // else the program is its only command
		s.Word = command.Name
	}
	return p.report(s.Err, parsed.Run(append(bindings, s, cli)...))
}

// command returns the command whose help explains what is wrong with a command line.
func (p *Program) command(err error) string {
	var wrong *kong.ParseError
	if !errors.As(err, &wrong) || wrong.Context == nil || wrong.Context.Selected() == nil {
		return p.Name
	}
	return wrong.Context.Selected().FullPath()
}

// report prints an error and returns the exit code for it.
func (p *Program) report(stderr io.Writer, err error) int {
	if err == nil {
		return ExitDone
	}
	fmt.Fprintf(stderr, "%s: %v\n", p.Name, err)
	var coded *Error
	if errors.As(err, &coded) {
		return coded.Code
	}
	if p.Code != nil {
		if code := p.Code(err); code != ExitDone {
			return code
		}
	}
	if errors.Is(err, context.Canceled) {
		return ExitInterrupted
	}
	return ExitInternal
}
