//go:build linux

package main

import (
	"io"
	"path/filepath"
	"strings"

	"paxosbench/bench/peers/summary"
	"paxosbench/bench/record"
	"paxosbench/bench/suite"
	"paxosbench/cmd/program"
)

// tableFile is where the table is kept, in the results directory.
const tableFile = "table.txt"

// tableCommand is peers table.
type tableCommand struct {
	Dir string `arg:"" help:"Results directory."`
}

// Run carries out peers table.
func (c *tableCommand) Run(s *program.Session) error {
	dir, err := suite.Open(c.Dir)
	if err != nil {
		return program.Usage(err)
	}
	var text strings.Builder
	if err := summary.Write(&text, dir); err != nil {
		return program.Usage(err)
	}
	if _, err := io.WriteString(s.Out, text.String()); err != nil {
		return err
	}
	return record.WriteFile(filepath.Join(c.Dir, tableFile), func(w io.Writer) error {
		_, err := io.WriteString(w, text.String())
		return err
	})
}
