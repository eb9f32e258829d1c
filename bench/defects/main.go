// Command defects shows that the load generator finds wrong replicas: it builds replicas with one defect after another, loads
// a cluster of them as loadgen does by default, and tells which check has found the defect. See scripts/defects.sh.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"paxosbench/bench/cluster"
)

type cli struct {
	Only     string `help:"Only defects whose name contains this." placeholder:"TEXT"`
	Repeat   int    `help:"Runs of each defect (${default})." default:"1" placeholder:"N"`
	PortBase int    `help:"Ports of the replicas: clients from this + 1 on, peers + 101, admin + 201 (${default})." default:"27000" env:"PAXOSBENCH_PORT_BASE" placeholder:"PORT"`
	Root     string `help:"Root of the source tree." default:"." type:"existingdir"`

	Durability string `help:"Durability of the replicas: none, os or fsync (${default})." default:"none" enum:"none,os,fsync" placeholder:"D"`
}

// Validate refuses what would find nothing and call it success. The parser calls it.
func (c *cli) Validate() error {
	if c.Repeat < 1 {
		return fmt.Errorf("repeat %d: want 1 or more", c.Repeat)
	}
	if !slices.ContainsFunc(defects, func(d defect) bool { return strings.Contains(d.name, c.Only) }) {
		return fmt.Errorf("only %q: no defect is called that; they are in bench/defects/list.go", c.Only)
	}
	return nil
}

func main() {
	var c cli
	kong.Parse(&c, kong.Name("defects"), kong.Description(
		"Loads clusters of deliberately wrong replicas. Exit code 0: in at least nine of ten runs each defect is found, and none where there is none; 1: not so."),
		kong.Exit(func(code int) { os.Exit(min(2*code, 2)) }))
	dir, err := os.MkdirTemp("", "paxosbench-defects-")
	if err == nil {
		err = errors.Join(c.run(dir), os.RemoveAll(dir))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "defects:", err)
		os.Exit(1)
	}
}

// run looks for every defect.
func (c *cli) run(dir string) error {
	loadgen := filepath.Join(dir, "loadgen")
	if err := c.build(loadgen, "./cmd/loadgen", ""); err != nil {
		return err
	}
	var missed []error
	for _, d := range defects {
		if !strings.Contains(d.name, c.Only) {
			continue
		}
		overlay, err := d.overlay(c.Root, dir)
		if err != nil {
			return err
		}
		replica := filepath.Join(dir, d.name)
		if err := c.build(replica, "./cmd/replica", overlay); err != nil {
			return err
		}
		found := 0
		for range c.Repeat {
			by, err := c.load(d, dir, replica, loadgen)
			if err != nil {
				return fmt.Errorf("%s: %w", d.name, err)
			}
			fmt.Printf("%-14s %s\n", d.name, by)
			if (by != nothing) == (d.name != "none") {
				found++
			}
		}
		if 10*found < 9*c.Repeat {
			missed = append(missed, fmt.Errorf("%s (%s): as it should be in %d of %d runs", d.name, d.what, found, c.Repeat))
		}
	}
	return errors.Join(missed...)
}

// build builds a program of the tree, with the files of an overlay in the place of its own.
func (c *cli) build(program, pkg, overlay string) error {
	cmd := exec.Command("go", "build", "-overlay", overlay, "-o", program, pkg)
	cmd.Dir = c.Root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(program), err, out)
	}
	return nil
}

// overlay writes what has the compiler, and it alone, read the replica's files with the defect, and returns its path.
func (d *defect) overlay(root, dir string) (path string, err error) {
	root, err = filepath.Abs(root)
	if err != nil {
		return "", err
	}
	files := map[string]string{storeFile: fmt.Sprintf(wrongStore, d.body)}
	for _, e := range append([]edit{useStore}, d.edits...) {
		if files[e.file], err = e.apply(root); err != nil {
			return "", err
		}
	}
	replace := make(map[string]string)
	for file, text := range files {
		changed := filepath.Join(dir, d.name+"-"+filepath.Base(file))
		if err := os.WriteFile(changed, []byte(text), 0o644); err != nil {
			return "", err
		}
		replace[filepath.Join(root, file)] = changed
	}
	mapping, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, d.name+".json")
	return path, os.WriteFile(path, mapping, 0o644)
}

// apply returns the file with the edit.
func (e *edit) apply(root string) (string, error) {
	source, err := os.ReadFile(filepath.Join(root, e.file))
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(source), e.old); n != 1 {
		return "", fmt.Errorf("%s holds the text to replace %d times, want once: the list of defects has to follow the sources", e.file, n)
	}
	return strings.Replace(string(source), e.old, e.new, 1), nil
}

// nothing is what a load says that finds no fault.
const nothing = "nothing wrong"

// finding is the first of the violations that a load reports on standard error.
var finding = regexp.MustCompile(`verification failed: (\d+ wrong answers; [^;]*)`)

// replicas is how many there are in a cluster.
const replicas = 3

// load loads a cluster of replicas and returns what the load has found.
func (c *cli) load(d defect, dir, replica, loadgen string) (found string, err error) {
	ctx := context.Background()
	wrong, err := cluster.Start(ctx, cluster.Config{
		Program: replica, Replicas: replicas, Dir: filepath.Join(dir, "cluster"), PortBase: c.PortBase, Tied: true,
		Flags: []string{"--durability", c.Durability},
	})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, wrong.Close(ctx)) }()
	cmd := exec.Command(loadgen, append([]string{"run", "--quiet", "--cluster", wrong.Dir()}, d.args...)...)
	var errs strings.Builder
	cmd.Stderr = &errs
	cmd.WaitDelay = time.Second
	switch err := cmd.Run(); {
	case err == nil:
		return nothing, nil
	case finding.MatchString(errs.String()):
		return finding.FindStringSubmatch(errs.String())[1], nil
	default:
		return "", fmt.Errorf("%w: %s", err, errs.String())
	}
}
