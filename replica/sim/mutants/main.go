// Command mutants shows that the checkers can fail: it builds the simulator with one deliberate bug after another, and runs each
// until a checker finds the bug; or it runs, with the bug, the test that is named for it. See scripts/mutants.sh.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"
)

type cli struct {
	Seeds int    `help:"Seeds within which every mutant must be found." default:"3000"`
	From  uint64 `help:"First seed." default:"1"`
	Only  string `help:"Run only mutants whose name contains this." placeholder:"TEXT"`
	Root  string `help:"Root of the source tree." default:"." type:"existingdir"`

	Explore bool `help:"Have the explorer (scripts/explore.sh) look for the bugs that it has to find, instead of the simulator."`
}

// Validate refuses what would find nothing and call it success. The parser calls it.
func (c *cli) Validate() error {
	var errs []error
	if c.Seeds < 1 {
		errs = append(errs, fmt.Errorf("seeds %d: want 1 or more", c.Seeds))
	}
	if !slices.ContainsFunc(mutants, c.chosen) {
		errs = append(errs, fmt.Errorf("only %q: no mutant is called that; they are in replica/sim/mutants/list.go", c.Only))
	}
	return errors.Join(errs...)
}

// chosen tells whether a mutant is to be run.
func (c *cli) chosen(m mutant) bool {
	return strings.Contains(m.name, c.Only) && (!c.Explore || slices.Contains(explored, m.name))
}

func main() {
	var c cli
	kong.Parse(&c, kong.Name("mutants"), kong.Description(
		"Runs the simulator on deliberately broken sources. Exit code 0: every mutant is found; 1: one survives, or cannot be built."),
		kong.Exit(func(code int) { os.Exit(min(2*code, 2)) }))
	survivors, err := c.run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
	if survivors > 0 {
		fmt.Printf("%d mutants survive\n", survivors)
		os.Exit(1)
	}
}

func (c *cli) run() (survivors int, err error) {
	dir, err := os.MkdirTemp("", "paxosbench-mutants-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	table := tabwriter.NewWriter(os.Stdout, 30, 0, 2, ' ', 0)
	of := "seeds" // that it took
	if c.Explore {
		of = "states"
	}
	fmt.Fprintf(table, "mutant\t%s\ttime\tfound by\n", of)
	for i := range mutants {
		m := &mutants[i]
		if !c.chosen(*m) {
			continue
		}
		start := time.Now()
		seeds, finding, err := c.hunt(m, dir)
		if err != nil {
			return survivors, fmt.Errorf("%s: %w", m.name, err)
		}
		if seeds == "" {
			survivors++
			seeds, finding = "SURVIVED", m.rule
		}
		fmt.Fprintf(table, "%s\t%s\t%v\t%s\n", m.name, seeds, time.Since(start).Round(100*time.Millisecond), finding)
		table.Flush()
	}
	return survivors, nil
}

// found is how the simulator and the explorer report.
var found = regexp.MustCompile(`VIOLATION after (\d+) (?:seeds|states): (.*)`)

// hunt looks for the bug with what is to find it. seeds is how many it took, empty if it was not found.
func (c *cli) hunt(m *mutant, dir string) (seeds, finding string, err error) {
	overlay, err := m.overlay(c.Root, dir)
	if err != nil {
		return "", "", err
	}
	if c.Explore {
		return c.program(m, dir, overlay, "./replica/explore/explorer", "--until", "--states", "300000")
	}
	if by, ok := foundBy[m.name]; ok {
		return c.test(by, overlay)
	}
	return c.program(m, dir, overlay, "./replica/sim/simulate", "--until", "--from", fmt.Sprint(c.From), "--seeds", fmt.Sprint(c.Seeds))
}

// test runs the test that is to find the bug. The overlay goes to it by the environment, so that programs that the test
// builds have the bug, too.
func (c *cli) test(by named, overlay string) (seeds, finding string, err error) {
	cmd := exec.Command("go", "test", "-count=1", "-timeout", "5m", "-run", "^"+by.test+"$", by.pkg)
	cmd.Dir = c.Root
	cmd.Env = append(os.Environ(), "GOFLAGS=-overlay="+overlay)
	out, err := cmd.CombinedOutput()
	switch text := string(out); {
	case err == nil && strings.Contains(text, "no tests to run"):
		return "", "", fmt.Errorf("%s has no %s", by.pkg, by.test)
	case err == nil:
		return "", "", nil
	case strings.Contains(text, "--- FAIL: "+by.test) || strings.Contains(text, "panic: "):
		return "-", strings.TrimPrefix(by.pkg, "./") + "." + by.test, nil
	default:
		return "", "", fmt.Errorf("%w: %s", err, text)
	}
}

// program builds the simulator or the explorer with the bug and runs it.
func (c *cli) program(m *mutant, dir, overlay, pkg string, args ...string) (seeds, finding string, err error) {
	program := filepath.Join(dir, m.name)
	build := exec.Command("go", "build", "-overlay", overlay, "-o", program, pkg)
	build.Dir = c.Root
	if out, err := build.CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("%w: %s", err, out)
	}
	out, err := exec.Command(program, args...).CombinedOutput()
	if at := found.FindSubmatch(out); at != nil {
		return string(at[1]), shortened(string(at[2])), nil
	}
	if strings.Contains(string(out), "panic: ") {
		_, text, _ := strings.Cut(string(out), "panic: ")
		line, _, _ := strings.Cut(text, "\n")
		return "?", "panic: " + shortened(line), nil
	}
	if err != nil {
		return "", "", fmt.Errorf("%w: %s", err, out)
	}
	return "", "", nil
}

func shortened(text string) string {
	if len(text) > 90 {
		return text[:90] + ".."
	}
	return text
}

// apply returns the file with the bug.
func (m *mutant) apply(root string) ([]byte, error) {
	source, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		return nil, err
	}
	if n := strings.Count(string(source), m.old); n != 1 {
		return nil, fmt.Errorf("%s holds the text to replace %d times, want once: the list of mutants has to follow the sources", m.file, n)
	}
	return []byte(strings.Replace(string(source), m.old, m.new, 1)), nil
}

// overlay writes what has the compiler, and it alone, read the file with the bug, and returns its path.
func (m *mutant) overlay(root, dir string) (path string, err error) {
	text, err := m.apply(root)
	if err != nil {
		return "", err
	}
	root, err = filepath.Abs(root)
	if err != nil {
		return "", err
	}
	mutated, path := filepath.Join(dir, m.name+".go"), filepath.Join(dir, m.name+".json")
	mapping, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(root, m.file): mutated}})
	if err != nil {
		return "", err
	}
	for name, data := range map[string][]byte{mutated: text, path: mapping} {
		if err := os.WriteFile(name, data, 0o644); err != nil {
			return "", err
		}
	}
	return path, nil
}
