// Package systems holds the descriptions of the systems that are measured beside this project's replicas.
package systems

import (
	"embed"
	"fmt"
	"strings"

	"paxosbench/bench/cluster"
)

//go:embed *.yaml
var files embed.FS

// All returns the systems by name.
func All() map[string]*cluster.System {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(fmt.Sprintf("BUG: embedded systems: %v", err))
	}
	all := make(map[string]*cluster.System, len(entries))
	for _, e := range entries {
		text, err := files.ReadFile(e.Name())
		if err != nil {
			panic(fmt.Sprintf("BUG: embedded systems: %v", err))
		}
		s, err := cluster.ParseSystem(e.Name(), text)
		if err != nil || s.Name != strings.TrimSuffix(e.Name(), ".yaml") {
			panic(fmt.Sprintf("BUG: %s: its name is not that of its file, or %v", e.Name(), err))
		}
		all[s.Name] = s
	}
	return all
}
