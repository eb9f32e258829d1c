package compare

import (
	"fmt"
	"slices"
	"strings"

	"paxosbench/bench/suite"
)

// ParseFlags reads settings as they are written on a command line: --batch none --pipeline=4 -- --window 64. Flags of
// replicas stand before the two dashes and those of the load behind them. A flag without a value is a switch.
func ParseFlags(line string) (suite.Cell, error) {
	var cell suite.Cell
	owner := suite.Replica
	for words := strings.Fields(line); len(words) > 0; {
		word := words[0]
		words = words[1:]
		if word == "--" && owner == suite.Replica {
			owner = suite.Load
			continue
		}
		knob, dashed := strings.CutPrefix(word, "--")
		if !dashed {
			return nil, fmt.Errorf("flags %q: %q stands where a flag should", line, word)
		}
		knob, value, ok := strings.Cut(knob, "=")
		if !ok {
			value = "true"
			if len(words) > 0 && !strings.HasPrefix(words[0], "--") {
				value, words = words[0], words[1:]
			}
		}
		if err := check(knob, owner); err != nil {
			return nil, fmt.Errorf("flags %q: %w", line, err)
		}
		if err := suite.CheckValue(knob, value); err != nil {
			return nil, fmt.Errorf("flags %q: %w", line, err)
		}
		if cell.Get(knob) != "" {
			return nil, fmt.Errorf("flags %q: --%s comes twice", line, knob)
		}
		cell = append(cell, suite.Setting{Knob: knob, Value: value})
	}
	if err := suite.CheckSettings(cell); err != nil {
		return nil, fmt.Errorf("flags %q: %w", line, err)
	}
	return cell, nil
}

// check refuses flags that do not exist, and those on the wrong side of the two dashes. What the suite itself acts on,
// such as the number of replicas, belongs to the cluster and so stands before them.
func check(knob string, owner suite.Owner) error {
	of := suite.OwnerOf(knob)
	if of == suite.Bench {
		of = suite.Replica
	}
	switch {
	case of == 0 || slices.Contains([]string{suite.KnobLoad, suite.KnobVariant, suite.KnobSystem, suite.KnobInFlight}, knob):
		return fmt.Errorf("there is no --%s to compare by", knob)
	case of == suite.Load && owner == suite.Replica:
		return fmt.Errorf("--%s is a flag of the load: it goes behind --", knob)
	case of == suite.Replica && owner == suite.Load:
		return fmt.Errorf("--%s is a flag of the replicas: it goes before --", knob)
	}
	return nil
}
