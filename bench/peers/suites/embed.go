// Package suites holds the suites that compare systems.
package suites

import (
	"embed"
	"fmt"

	"paxosbench/bench/suite"
)

//go:embed *.yaml
var files embed.FS

// Load returns a suite by name, with the text that it was read from.
func Load(name string) (*suite.Suite, []byte, error) {
	text, err := files.ReadFile(name + ".yaml")
	if err != nil {
		return nil, nil, fmt.Errorf("no suite is called %q; there are peers, peers-failover, peers-faults and peers-smoke", name)
	}
	s, err := suite.Parse(name+".yaml", text)
	return s, text, err
}
