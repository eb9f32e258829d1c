//go:build linux

package main

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

// programFlags say what to start, and where.
type programFlags struct {
	Bin      string `help:"Directory of the programs replica and loadgen. Default: that of this program." placeholder:"DIR"`
	PortBase int    `help:"Where the search for free ports begins (${default})." default:"17000" placeholder:"PORT"`
}

// Validate refuses ports that no cluster can have.
func (f *programFlags) Validate() error { return cluster.CheckPortBase(f.PortBase) }

// check asks the programs whether they take the settings of cells, measured for so long.
func (f *programFlags) check(ctx context.Context, duration time.Duration, cells []suite.Cell) error {
	_, bin, err := cluster.Programs(f.Bin)
	if err != nil {
		return err
	}
	local := &bench.Local{Bin: bin}
	if err = local.CheckPrograms(); err == nil {
		err = local.Check(ctx, duration, cells)
	}
	if err != nil && ctx.Err() == nil {
		return program.Usage(err)
	}
	return err
}

// local returns an executor that keeps its files in a directory.
func (f *programFlags) local(dir string) (*bench.Local, error) {
	_, bin, err := cluster.Programs(f.Bin)
	if err != nil {
		return nil, err
	}
	local := &bench.Local{
		Bin: bin, PortBase: f.PortBase,
		Scratch: dir, Logs: filepath.Join(dir, "logs"),
	}
	if err := errors.Join(local.CheckPrograms(), local.CheckPorts()); err != nil {
		return nil, program.Usage(err)
	}
	return local, nil
}
