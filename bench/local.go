package bench

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"paxosbench/bench/cluster"
	"paxosbench/bench/record"
	"paxosbench/bench/suite"
)

// Local makes runs with processes on this host.
type Local struct {
	// Bin holds the programs replica and loadgen.
	Bin string
	// Scratch is where the run under way has a directory of its own for data and logs, which is removed after it.
	Scratch string
	// Logs receives, under the run's id, the logs of runs that failed.
	Logs string
	// PortBase is where the search for free ports begins.
	PortBase int
	// Others are the systems that can be measured beside the replicas of this project, by name, and Loader the command line of a
	// load generator that reaches them, to which flags are added. Without them only the replicas can be, by loadgen of Bin.
	Others map[string]*cluster.System
	Loader []string
}

// CheckPrograms refuses a directory without the programs, which would otherwise fail every run.
func (l *Local) CheckPrograms() error {
	for _, name := range []string{"replica", "loadgen"} {
		if _, err := exec.LookPath(l.program(name)); err != nil {
			return fmt.Errorf("%s is no program: build with `go build -o %s/ ./cmd/...` or say --bin (%w)", l.program(name), l.Bin, err)
		}
	}
	return nil
}

// loader returns the command line of the load generator.
func (l *Local) loader() []string {
	if len(l.Loader) > 0 {
		return slices.Clone(l.Loader)
	}
	return []string{l.program("loadgen"), "run"}
}

// CheckPorts refuses a port base from which no cluster would find its ports, which would otherwise fail every run.
func (l *Local) CheckPorts() error { return cluster.CheckPorts(l.PortBase) }

// Replica returns the path of the program under test.
func (l *Local) Replica() string { return l.program("replica") }

func (l *Local) program(name string) string { return filepath.Join(l.Bin, name) }

// Execute implements Executor.
func (l *Local) Execute(ctx context.Context, job Job) (Measured, error) {
	if err := cluster.Sweep(ctx, l.Scratch); err != nil {
		return Measured{}, fmt.Errorf("remove what a run that was killed has left: %w", err)
	}
	scratch, err := cluster.NewScratch(l.Scratch, ".run")
	if err != nil {
		return Measured{}, err
	}
	t := &trial{l, scratch.Dir()}
	m, err := t.measure(ctx, job)
	if err = cmp.Or(ctx.Err(), err); err != nil {
		return Measured{}, errors.Join(err, scratch.Remove())
	}
	if m.Status == suite.StatusFailed {
		if err := t.keepLogs(job.ID); err != nil {
			return Measured{}, errors.Join(fmt.Errorf("keep the logs of a failed run: %w", err), scratch.Keep())
		}
	}
	return m, scratch.Remove()
}

// trial is one run with its directory.
type trial struct {
	*Local
	dir string
}

// failed is the outcome of a run that came to nothing.
func failed(err error) Measured {
	return Measured{Status: suite.StatusFailed, Reasons: strings.Split(err.Error(), "\n")}
}

// measure starts a cluster, loads it and stops it. Data and logs stay. Its error is one that all other runs would have.
func (t *trial) measure(ctx context.Context, job Job) (Measured, error) {
	s, err := newSetup(job.Settings)
	if err == nil {
		err = s.find(t.Others, len(t.Loader) > 0)
	}
	if err != nil {
		return failed(err), nil
	}
	c, err := cluster.Start(ctx, cluster.Config{
		Program: t.Replica(), System: s.system, Bin: t.Bin, Durability: s.durability, Replicas: s.replicas, Flags: s.replicaFlags, Link: s.link,
		Dir: filepath.Join(t.dir, "cluster"), PortBase: t.PortBase, Search: true, Tied: true, TLS: s.tls, Netem: s.netem, Timeout: s.patience(),
	})
	if errors.Is(err, cluster.ErrNoPorts) {
		return Measured{}, err
	}
	if err != nil {
		return failed(err), nil
	}
	m := t.load(ctx, job, s, c)
	died := c.Err()
	if err := errors.Join(died, s.end(context.WithoutCancel(ctx), c)); err != nil {
		m.Status = suite.StatusFailed
		m.Reasons = append(m.Reasons, err.Error())
	}
	return m, nil
}

// overtime is what a load may take beside warm-up and measurement: preloading, and answers that are awaited.
const overtime = time.Minute

// load runs the load generator and reads what it left.
func (t *trial) load(ctx context.Context, job Job, s *setup, c *cluster.Cluster) Measured {
	if job.Ready != nil {
		if err := job.Ready(ctx); err != nil {
			return failed(err)
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, job.Warmup+job.Duration+overtime, errors.New("the load did not end in time"))
	defer cancel()
	loader := t.loader()
	cmd := cluster.Command(ctx, loader[0], slices.Concat(loader[1:], t.loadArgs(job, s, c))...)
	var said bytes.Buffer
	cmd.Stderr = &said
	err := cmd.Run()
	if ctx.Err() != nil {
		return failed(context.Cause(ctx))
	}
	if logErr := os.WriteFile(filepath.Join(t.dir, "loadgen.log"), said.Bytes(), 0o644); logErr != nil {
		return failed(logErr)
	}
	return t.collect(job, err, said.String())
}

func (t *trial) out() string { return filepath.Join(t.dir, "out") }

func (t *trial) loadArgs(job Job, s *setup, c *cluster.Cluster) []string {
	return append([]string{
		"--quiet", "--out", t.out(), "--cluster", c.Dir(),
		"--warmup", job.Warmup.String(), "--duration", job.Duration.String(), "--seed", strconv.FormatUint(job.Seed, 10),
	}, s.loadFlags...)
}

// exitInvalid is the load generator's exit code for a run whose figures describe the generator.
const exitInvalid = 6

// collect judges a finished load by exit code and result.
func (t *trial) collect(job Job, exit error, said string) Measured {
	result, err := record.Load(t.out())
	if err != nil {
		if exit != nil {
			err = fmt.Errorf("loadgen: %w: %s", exit, lastLine(said))
		}
		return failed(err)
	}
	m := Measured{Status: string(result.Verdict), Reasons: result.Reasons, Result: result}
	var code *exec.ExitError
	if exit != nil && (!errors.As(exit, &code) || code.ExitCode() != exitInvalid) {
		m.Status = suite.StatusFailed
		m.Reasons = append(m.Reasons, lastLine(said))
	}
	for _, event := range result.Events {
		if event.Error != "" { // the run shows what was not to be shown
			m.Status = suite.StatusFailed
			m.Reasons = append(m.Reasons, event.Text+": "+event.Error)
		}
	}
	if job.Timeline {
		if m.Timeline, err = readTimeline(filepath.Join(t.out(), record.SeriesFile)); err != nil {
			return failed(err)
		}
	}
	return m
}

func readTimeline(path string) ([]suite.Point, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	rows, err := record.ReadRows(file)
	return suite.Timeline(rows), err
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// maxLog is how much is kept of a log: its end.
const maxLog = 64 << 10

// keepLogs copies the ends of all logs from Scratch to Logs.
func (t *trial) keepLogs(id string) error {
	dir := filepath.Join(t.Logs, id)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return filepath.WalkDir(t.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".log" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, filepath.Base(path)), text[max(0, len(text)-maxLog):], 0o644)
	})
}
