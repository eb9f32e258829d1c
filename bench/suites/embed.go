// Package suites holds the suites that ship with the project.
package suites

import (
	"embed"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"paxosbench/bench/suite"
)

//go:embed *.yaml
var files embed.FS

// Names returns the names of all suites, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(fmt.Sprintf("BUG: embedded suites: %v", err))
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	slices.Sort(names)
	return names
}

// Load returns a suite by name, with the text that it was read from.
func Load(name string) (*suite.Suite, []byte, error) {
	text, err := files.ReadFile(name + ".yaml")
	if err != nil || filepath.Base(name) != name {
		return nil, nil, fmt.Errorf("no suite is called %q; there are %s", name, strings.Join(Names(), ", "))
	}
	s, err := suite.Parse(name+".yaml", text)
	return s, text, err
}
