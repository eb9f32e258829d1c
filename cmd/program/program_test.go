package program

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// sample is the command line of a program that can do a few things.
type sample struct {
	Work workCommand `cmd:""`
	Deep struct {
		Er failCommand `cmd:""`
	} `cmd:""`

	Version VersionFlag
}

type workCommand struct {
	Much int
}

// Run tells what it works with.
func (c *workCommand) Run(s *Session, all *sample, bound *strings.Builder) error {
	_, err := fmt.Fprintln(s.Out, s.Word, all.Work.Much, bound.Len())
	return err
}

var errKnown = errors.New("known")

type failCommand struct {
	How string `arg:""`
}

// Run fails.
func (c *failCommand) Run() error {
	switch c.How {
	case "usage":
		return fmt.Errorf("wrapped: %w", Usage(errKnown))
	case "known":
		return errKnown
	case "cancelled":
		return context.Canceled
	}
	return errors.New("unknown")
}

// Every way in which a program can end has its exit code, and an error of usage names the help that explains it.
func TestExecute(t *testing.T) {
	p := Program{Name: "sample", Code: func(err error) int {
		if errors.Is(err, errKnown) {
			return 7
		}
		return ExitDone
	}}
	for _, tt := range []struct {
		args        string
		code        int
		stdout, err string
	}{
		{"work --much 3", ExitDone, "work 3 ", ""},
		{"--help", ExitDone, "Usage: sample", ""},
		{"deep er --help", ExitDone, "Usage: sample deep er", ""},
		{"--version", ExitDone, "built by " + runtime.Version(), ""},
		{"work --version", ExitDone, "sample commit ", ""},
		{"work --little", ExitUsage, "", "unknown flag --little (see sample work --help)"},
		{"work --much lots", ExitUsage, "", "(see sample work --help)"},
		{"deep er", ExitUsage, "", "(see sample deep er --help)"},
		{"play", ExitUsage, "", "(see sample --help)"},
		{"", ExitUsage, "", "(see sample --help)"},
		{"deep er usage", ExitUsage, "", "sample: wrapped: known\n"},
		{"deep er known", 7, "", "sample: known\n"},
		{"deep er cancelled", ExitInterrupted, "", "sample: context canceled\n"},
		{"deep er otherwise", ExitInternal, "", "sample: unknown\n"},
	} {
		var out, errs strings.Builder
		s := &Session{Ctx: t.Context(), Args: strings.Fields(tt.args), Out: &out, Err: &errs}
		var bound strings.Builder
		code := p.Execute(s, new(sample), &bound)
		if code != tt.code || !strings.Contains(out.String(), tt.stdout) || !strings.HasSuffix(strings.TrimRight(errs.String(), "\n"), strings.TrimRight(tt.err, "\n")) {
			t.Errorf("%q: exit code %d, want %d; said %q and %q", tt.args, code, tt.code, out.String(), errs.String())
		}
	}
}

// A version says what is known, and that something is not.
func TestVersion(t *testing.T) {
	for want, v := range map[string]Version{
		"commit unknown, built by go1":           {Go: "go1"},
		"commit abc, built by go1":               {Commit: "abc", Go: "go1"},
		"commit abc, with changes, built by go1": {Commit: "abc", Dirty: true, Go: "go1"},
	} {
		if got := v.String(); got != want {
			t.Errorf("%+v is %q, want %q", v, got, want)
		}
	}
}
