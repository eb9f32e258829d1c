//go:build linux

// Package suitecmd has the commands that carry out a suite and show what came of it, for the program bench and for others that
// measure more than this project's replicas.
package suitecmd

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"paxosbench/bench"
	"paxosbench/bench/cluster"
	"paxosbench/bench/suite"
	"paxosbench/cmd/program"
)

// ExitUnreachable: not one run succeeded. It agrees with that of loadgen; the other exit codes are those of all programs.
const ExitUnreachable = 3

// ProgramFlags say what to start, and where.
type ProgramFlags struct {
	Bin      string `help:"Directory of the programs replica and loadgen. Default: that of this program." placeholder:"DIR"`
	PortBase int    `help:"Where the search for free ports begins (${default})." default:"17000" placeholder:"PORT"`

	// Extend adds what another program than bench needs to what makes the runs; nil: nothing.
	Extend func(*bench.Local) `kong:"-"`
}

// Validate refuses ports that no cluster can have.
func (f *ProgramFlags) Validate() error { return cluster.CheckPortBase(f.PortBase) }

// Check asks the programs whether they take the settings of cells, measured for so long.
func (f *ProgramFlags) Check(ctx context.Context, duration time.Duration, cells []suite.Cell) error {
	_, bin, err := cluster.Programs(f.Bin)
	if err != nil {
		return err
	}
	local := &bench.Local{Bin: bin}
	if f.Extend != nil {
		f.Extend(local)
	}
	if err = local.CheckPrograms(); err == nil {
		err = local.Check(ctx, duration, cells)
	}
	if err != nil && ctx.Err() == nil {
		return program.Usage(err)
	}
	return err
}

// Local returns an executor that keeps its files in a directory.
func (f *ProgramFlags) Local(dir string) (*bench.Local, error) {
	_, bin, err := cluster.Programs(f.Bin)
	if err != nil {
		return nil, err
	}
	local := &bench.Local{
		Bin: bin, PortBase: f.PortBase,
		Scratch: dir, Logs: filepath.Join(dir, "logs"),
	}
	if f.Extend != nil {
		f.Extend(local)
	}
	if err := errors.Join(local.CheckPrograms(), local.CheckPorts()); err != nil {
		return nil, program.Usage(err)
	}
	return local, nil
}
