//go:build linux

package suitecmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"text/tabwriter"
	"time"

	"paxosbench/bench"
	"paxosbench/bench/suite"
	"paxosbench/bench/suites"
	"paxosbench/cmd/program"
)

// work is a suite to carry out, and the directory its results go to, which may have some.
type work struct {
	suite    *suite.Suite
	text     []byte
	path     string
	manifest suite.Manifest
	plan     []suite.Planned
	dir      *suite.Dir // nil until open, unless resumed
	program  string     // that carries it out
}

// prepare reads the suite and makes the plan, or takes up that of the directory to resume.
func (c *RunCommand) prepare() (*work, error) {
	s, text, err := c.loadSuite()
	if err != nil {
		return nil, program.Usage(err)
	}
	w := &work{suite: s, text: text, path: c.Out, manifest: c.manifest(s)}
	if w.path == "" {
		w.path = filepath.Join("results", s.Name)
	}
	patterns, err := parsePatterns(c.Only)
	if err != nil {
		return nil, program.Usage(err)
	}
	w.plan = suite.Select(s.Plan(c.Seed, w.manifest.Repeats), patterns)
	if c.Select != nil {
		w.plan = c.Select(w.plan)
	}
	if len(w.plan) == 0 {
		return nil, program.Usage(fmt.Errorf("no cell of %s matches --only %q: see --dry-run", s.Name, c.Only))
	}
	w.program = c.program()
	return w, w.resume(c)
}

// loadSuite reads a file, if there is one of that name, or a suite that comes with the program.
func (c *RunCommand) loadSuite() (*suite.Suite, []byte, error) {
	name := c.Suite
	text, err := os.ReadFile(name)
	if err == nil {
		s, err := suite.Parse(name, text)
		return s, text, err
	}
	if filepath.Base(name) != name || filepath.Ext(name) != "" {
		return nil, nil, err
	}
	if c.Suites != nil {
		return c.Suites(name)
	}
	return suites.Load(name)
}

func parsePatterns(texts []string) ([]suite.Cell, error) {
	var patterns []suite.Cell
	for _, text := range texts {
		p, err := suite.ParseCell(text)
		if err != nil {
			return nil, fmt.Errorf("--only: %w", err)
		}
		if len(p) == 0 {
			return nil, fmt.Errorf("--only: want KNOB=VALUE, not nothing")
		}
		patterns = append(patterns, p)
	}
	return patterns, nil
}

// resume opens the directory if it has results, and refuses one with results of something else.
func (w *work) resume(c *RunCommand) error {
	dir, err := suite.Open(w.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !c.Resume && !c.DryRun {
		return program.Usage(fmt.Errorf("%s %w: go on with --resume, or choose another --out", w.path, suite.ErrExists))
	}
	if !c.Resume {
		return nil
	}
	m := dir.Manifest
	same := reflect.DeepEqual(measured(dir.Suite), measured(w.suite)) && reflect.DeepEqual(dir.Plan, w.plan) &&
		m.Warmup == w.manifest.Warmup && m.Duration == w.manifest.Duration
	if !same {
		return program.Usage(fmt.Errorf("%s holds another plan, made by `%s %s`: repeat that command with --resume, or choose another --out",
			w.path, filepath.Base(w.program), suite.ShellLine(m.Command)))
	}
	w.dir = dir
	return nil
}

// measured is a suite without what only the report shows, which may change between two runs.
func measured(s *suite.Suite) suite.Suite {
	m := *s
	m.Title, m.Question, m.Graphs = "", "", nil
	return m
}

func (w *work) pending() []suite.Planned {
	if w.dir == nil {
		return w.plan
	}
	return w.dir.Pending()
}

// settings are what holds in the cells of a plan. Probes have what holds in the cells that they are for.
func (w *work) settings(plan []suite.Planned) []suite.Cell {
	var cells []suite.Cell
	for _, p := range plan {
		if p.Kind == suite.KindRun {
			cells = append(cells, w.suite.Settings(p.Cell))
		}
	}
	return cells
}

// open makes the directory, unless it was resumed, and locks it. One that was resumed shows what the suite shows now.
func (w *work) open(args []string, replica string, pending int) error {
	commit, dirty := bench.Revision(replica)
	if w.dir != nil {
		if err := w.goesOn(commit, dirty); err != nil && pending > 0 {
			return program.Usage(err)
		}
		if err := w.dir.Lock(); err != nil {
			return err
		}
		return w.dir.Redraw(w.suite, w.text)
	}
	if err := os.MkdirAll(w.path, 0o755); err != nil {
		return err
	}
	m := w.manifest
	m.Started, m.Command, m.Commit, m.Dirty = time.Now().UTC(), args, commit, dirty
	m.Host, m.Nice = bench.DescribeHost(w.path), bench.Niceness()
	dir, err := suite.Create(w.path, w.suite, w.text, m, w.plan)
	if errors.Is(err, suite.ErrForeign) || errors.Is(err, suite.ErrExists) {
		return program.Usage(err)
	}
	if err != nil {
		return err
	}
	w.dir = dir
	return dir.Lock()
}

// goesOn refuses to add runs of another version of the programs, or of another host, to those of a directory: its manifest, and the
// captions of its graphs, know one of each.
func (w *work) goesOn(commit string, dirty bool) error {
	was, is := w.dir.Manifest.Host, bench.DescribeHost(w.path)
	version := func(commit string, dirty bool) string {
		if dirty {
			commit += " with changes"
		}
		return "commit " + commit
	}
	host := func(h suite.Host) string { return fmt.Sprintf("host %s with %d × %s", h.Name, h.CPUs, h.CPU) }
	for _, of := range []struct{ was, is string }{
		{version(w.dir.Manifest.Commit, w.dir.Manifest.Dirty), version(commit, dirty)}, {host(was), host(is)},
	} {
		if of.was != of.is {
			return fmt.Errorf("%s holds results of %s, and more would be of %s: choose another --out", w.path, of.was, of.is)
		}
	}
	return nil
}

// replay is the command line that repeats a run of this suite, save for its cell, repeat and directory.
func (w *work) replay(program, name string) []string {
	return []string{
		program, "run", name, "--seed", strconv.FormatUint(w.manifest.Seed, 10),
		"--duration", w.manifest.Duration.String(),
	}
}

// print shows a plan.
func (w *work) print(out io.Writer, pending []suite.Planned, takes time.Duration) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "order\tkind\trepeat\tcell")
	for _, p := range pending {
		fmt.Fprintf(table, "%d\t%s\t%d\t%s\n", p.Order, p.Kind, p.Repeat, p.Cell)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "%d of %d runs, about %v\n", len(pending), len(w.plan), Rounded(takes))
	return err
}

// summary counts what came of the runs made, and fails if nothing did.
func (w *work) summary(out io.Writer, made []suite.Run) error {
	if len(made) == 0 {
		_, err := fmt.Fprintf(out, "%s is complete: nothing to run\n", w.path)
		return err
	}
	count := make(map[string]int)
	for _, r := range made {
		count[r.Status]++
	}
	fmt.Fprintf(out, "%d runs: %d valid, %d degraded, %d invalid, %d failed\nresults: %s; look at them with: %s report %s\n",
		len(made), count[suite.StatusValid], count[suite.StatusDegraded], count[suite.StatusInvalid], count[suite.StatusFailed],
		w.path, filepath.Base(w.program), suite.ShellLine([]string{w.path}))
	if failures := count[suite.StatusFailed]; failures > 0 && failures == len(made) {
		return &program.Error{Code: ExitUnreachable, Err: fmt.Errorf("not one run succeeded; the last one: %v; logs: %s", made[len(made)-1].Reasons, filepath.Join(w.path, "logs"))}
	}
	return nil
}

// Rounded is how long something takes, as people are told.
func Rounded(d time.Duration) time.Duration { return d.Round(time.Second) }
