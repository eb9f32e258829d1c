package main

import (
	"fmt"

	"paxosbench/bench"
	"paxosbench/cmd/program"
)

// controlCommand is bench control: the cluster script of a load generator that the runner has started.
type controlCommand struct {
	Addr    string   `arg:"" help:"Address of the runner."`
	Command []string `arg:"" help:"leader, kill ID or start ID."`
}

// Run carries out bench control.
func (c *controlCommand) Run(s *program.Session) error {
	answer, err := bench.Control(c.Addr, c.Command)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(s.Out, answer)
	return err
}
