package suite

import (
	_ "embed"
	"slices"
	"strings"
)

// The flags of the programs, one a line, each with its default if it has one. They are written by tests of the programs, which fail
// when they differ: the suite knows nothing of a program but what that says of itself. Which values a flag takes the program is
// asked: see bench.Local.Check.
var (
	//go:embed flags/replica.txt
	replicaFlags string
	//go:embed flags/loadgen.txt
	loadFlags string
)

// runners are flags that no suite sets, because whoever makes the runs does: addresses, directories, identities, seeds, lengths of
// time and output.
var runners = strings.Fields(`
	id member cluster-id data bootstrap rejoin repair accept-loss insecure-listen admin pprof log-level log-format
	cluster addrs tls start-at generator cluster-script seed warmup duration closed stage objective out name quiet metrics json
	config check version help`)

// defaultsOf has all knobs by owner, each at its default, which is empty if it has none.
var defaultsOf = map[Owner]Cell{
	Bench: benchDefaults(), Replica: flagDefaults(replicaFlags).Without(runners...), Load: flagDefaults(loadFlags).Without(runners...),
}

func benchDefaults() (c Cell) {
	for _, k := range benchKnobs {
		c = append(c, Setting{k.name, k.usual})
	}
	return c
}

func flagDefaults(text string) (c Cell) {
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		c = append(c, Setting{name, value})
	}
	return c
}

// OwnerOf returns the owner of a knob, 0 if there is no such knob.
func OwnerOf(name string) Owner {
	for owner, knobs := range defaultsOf {
		if _, ok := knobs.lookup(name); ok {
			return owner
		}
	}
	return 0
}

// Default returns what holds if a knob is not set: what the program whose flag it is says, or the suite of what it acts on itself. It
// is empty of a knob that has none.
func Default(knob string) string { return defaultsOf[OwnerOf(knob)].Get(knob) }

// Effective returns the value of a knob, or its default if the cell does not set it.
func (c Cell) Effective(knob string) string {
	if value, ok := c.lookup(knob); ok {
		return value
	}
	return Default(knob)
}

// knobNames lists all knobs, for messages.
func knobNames() string {
	var names []string
	for _, knobs := range defaultsOf {
		for _, k := range knobs {
			names = append(names, k.Knob)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
