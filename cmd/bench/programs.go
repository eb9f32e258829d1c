//go:build linux

package main

import (
	"errors"
	"path/filepath"

	"paxosbench/bench"
	"paxosbench/bench/cluster"
	"paxosbench/cmd/program"
)

// programFlags say what to start, and where.
type programFlags struct {
	Bin      string `help:"Directory of the programs replica and loadgen. Default: that of this program." placeholder:"DIR"`
	PortBase int    `help:"Where the search for free ports begins (${default})." default:"17000" placeholder:"PORT"`
}

// Validate refuses ports that no cluster can have.
func (f *programFlags) Validate() error { return cluster.CheckPortBase(f.PortBase) }

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
