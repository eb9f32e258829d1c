//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"paxosbench/bench"
	"paxosbench/bench/model"
	"paxosbench/bench/record"
	"paxosbench/bench/suite"
	"paxosbench/cmd/bench/suitecmd"
	"paxosbench/cmd/program"
)

// calibrateCommand is bench calibrate.
type calibrateCommand struct {
	Out      string        `help:"File to write (${default}). Reports of the directories beside it draw the bound from it." default:"results/calibration.json" placeholder:"FILE"`
	Duration time.Duration `help:"Length of each of the ten loads (${default})." default:"1s" placeholder:"D"`
	suitecmd.ProgramFlags
}

// Validate refuses what makes no sense. The parser calls it.
func (c *calibrateCommand) Validate() error {
	return errors.Join(c.ProgramFlags.Validate(), suite.CheckDuration(c.Duration))
}

// Run carries out bench calibrate.
func (c *calibrateCommand) Run(s *program.Session) error {
	dir := filepath.Dir(c.Out)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	local, err := c.Local(dir)
	if err != nil {
		return err
	}
	measure := func(ctx context.Context, cell suite.Cell) (*record.Result, error) {
		fmt.Fprintln(s.Err, "calibrate:", cell)
		return c.measure(ctx, local, cell)
	}
	calibration, err := model.Calibrate(s.Ctx, dir, bench.DescribeHost(dir), measure)
	if err != nil {
		return err
	}
	calibration.Commit, _ = bench.Revision(local.Replica())
	if err := calibration.Save(c.Out); err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.Out, "calibration:", c.Out)
	return err
}

// measure makes one run that belongs to no suite.
func (c *calibrateCommand) measure(ctx context.Context, local *bench.Local, cell suite.Cell) (*record.Result, error) {
	m, err := local.Execute(ctx, bench.Job{
		Planned:  suite.Planned{ID: "calibrate", Cell: cell, Seed: 1},
		Settings: cell, Warmup: 500 * time.Millisecond, Duration: c.Duration,
	})
	if err != nil {
		return nil, err
	}
	if m.Status == suite.StatusFailed {
		return nil, errors.New(strings.Join(m.Reasons, "; "))
	}
	return m.Result, nil
}
