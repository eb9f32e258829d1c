package bench

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"paxosbench/bench/suite"
)

// Check asks the programs whether they take the settings of cells, measured for so long, and returns all that they have to say against them. What is
// allowed nobody else knows. Cells that come to the same command line are asked for once.
func (l *Local) Check(ctx context.Context, duration time.Duration, cells []suite.Cell) error {
	asked := make(map[string]bool)
	var wrong []error
	for _, cell := range cells {
		commands, err := l.checks(cell, duration)
		if err != nil {
			return err
		}
		for _, c := range commands {
			if key := strings.Join(c, "\x00"); !asked[key] {
				asked[key] = true
				if err := l.ask(ctx, c); err != nil {
					wrong = append(wrong, fmt.Errorf("cell %s: %w", cell, err))
				}
			}
		}
	}
	return errors.Join(wrong...)
}

// checks are the command lines of the programs of a cell that read its settings and end. Addresses, which a run has of its own, are
// made up. A share of saturation is a rate that is not known yet.
func (l *Local) checks(settings suite.Cell, duration time.Duration) ([][]string, error) {
	if settings.Get(suite.KnobLoad) != "" {
		settings = settings.Without(suite.KnobLoad).With("rate", "1")
	}
	s, err := newSetup(settings)
	if err == nil {
		err = s.find(l.Others, len(l.Loader) > 0)
	}
	if err != nil {
		return nil, err
	}
	load := append(l.loader(), "--check", "--duration="+duration.String())
	if len(l.Loader) == 0 {
		load = append(load, "--addrs=127.0.0.1:1", "--admin=none")
	}
	load = append(load, s.loadFlags...)
	if s.system != nil {
		return [][]string{load}, s.system.CheckDurability(s.durability)
	}
	replica := []string{l.Replica(), "--check", "--id=1"}
	for id := range s.replicas {
		replica = append(replica, fmt.Sprintf("--member=%d=127.0.0.1:%d,127.0.0.1:%d", id+1, 2*id+1, 2*id+2))
	}
	return [][]string{append(replica, s.replicaFlags...), load}, nil
}

// ask runs a command line of one of the programs, and returns what that has to say against it.
func (l *Local) ask(ctx context.Context, command []string) error {
	said, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput()
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	if text := strings.TrimSpace(string(said)); text != "" {
		return errors.New(text)
	}
	return fmt.Errorf("%s: %w", filepath.Base(command[0]), err)
}
