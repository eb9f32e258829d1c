//go:build linux

package suitecmd

import (
	"errors"
	"fmt"
	"path/filepath"

	"paxosbench/bench/record"
	"paxosbench/bench/report"
	"paxosbench/bench/suite"
	"paxosbench/cmd/program"
)

// ReportCommand is bench report.
type ReportCommand struct {
	Dir string `arg:"" help:"Results directory."`
}

// Help is the text below the usage line.
func (*ReportCommand) Help() string {
	return `Writes report.html, which is complete in itself, graphs/ (SVG and PNG), and benchmark.txt for benchstat.
A sweep that is not complete is reported as far as it is.`
}

// Run carries out bench report.
func (c *ReportCommand) Run(s *program.Session) error {
	lock, locked := record.LockDir(c.Dir)
	if locked == nil {
		defer lock.Unlock()
	}
	dir, err := suite.Open(c.Dir)
	if err != nil {
		return program.Usage(err)
	}
	if locked != nil {
		return locked
	}
	err = report.WritePage(dir, nil)
	var undrawn *report.UndrawnError
	if err != nil && !errors.As(err, &undrawn) {
		return err
	}
	_, said := fmt.Fprintln(s.Out, "report:", filepath.Join(c.Dir, "report.html"))
	return errors.Join(said, err)
}
