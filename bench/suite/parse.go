package suite

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Parse reads a suite from YAML. Keys and knobs that do not exist, and values that a knob of the suite's own cannot have, are refused
// by name and line. source names the text in errors. Aliases stand for what they name, and mappings are not merged.
func Parse(source string, text []byte) (*Suite, error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	var s Suite
	if err := dec.Decode(&s); errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: it is empty: a suite has a name, cells and graphs (bench list shows some)", source)
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", source, plain(err))
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: one suite per file", source)
	}
	if err := s.validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	return &s, nil
}

var unknownField = regexp.MustCompile(`field (\S+) not found in type \S+`)

// plain says in the writer's words what the decoder says in Go's.
func plain(err error) error {
	var typed *yaml.TypeError
	if !errors.As(err, &typed) {
		return err
	}
	lines := make([]string, len(typed.Errors))
	for i, line := range typed.Errors {
		lines[i] = unknownField.ReplaceAllString(line, "unknown key $1")
	}
	return errors.New(strings.Join(lines, "\n  "))
}

// UnmarshalYAML reads a mapping of knobs to values, and keeps its order, which a Go map would lose.
func (c *Cell) UnmarshalYAML(node *yaml.Node) error {
	var wrong yaml.TypeError
	err := eachKnob(node, func(knob string, value *yaml.Node) error {
		text, err := checked(knob, value, "", &wrong)
		*c = append(*c, Setting{knob, text})
		return err
	})
	return errorOf(err, &wrong)
}

// UnmarshalYAML reads a mapping of knobs to lists of values, and keeps its order.
func (a *Axes) UnmarshalYAML(node *yaml.Node) error {
	var wrong yaml.TypeError
	err := eachKnob(node, func(knob string, list *yaml.Node) error {
		if list = named(list); list.Kind != yaml.SequenceNode || len(list.Content) == 0 {
			return fmt.Errorf("line %d: %s: want a list of values", list.Line, knob)
		}
		axis := Axis{Knob: knob}
		for _, item := range list.Content {
			text, err := checked(knob, item, "axis ", &wrong)
			if err != nil {
				return err
			}
			axis.Values = append(axis.Values, text)
		}
		*a = append(*a, axis)
		return nil
	})
	return errorOf(err, &wrong)
}

// checked returns a knob's value. One that the knob cannot have is added to what is wrong, so that all of them are
// reported at once.
func checked(knob string, value *yaml.Node, place string, wrong *yaml.TypeError) (string, error) {
	text, err := scalar(value)
	if err != nil {
		return "", err
	}
	if err := CheckValue(knob, text); err != nil {
		wrong.Errors = append(wrong.Errors, fmt.Sprintf("line %d: %s%v", value.Line, place, err))
	}
	return text, nil
}

// errorOf prefers an error of form, which ends the reading. The decoder gathers type errors and goes on.
func errorOf(err error, wrong *yaml.TypeError) error {
	if err == nil && len(wrong.Errors) > 0 {
		return wrong
	}
	return err
}

// eachKnob calls visit for the knobs of a mapping, and refuses those that do not exist or come twice.
func eachKnob(node *yaml.Node, visit func(knob string, value *yaml.Node) error) error {
	if node = named(node); node.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: want a mapping of knobs", node.Line)
	}
	seen := make(map[string]bool)
	for i := 0; i < len(node.Content); i += 2 {
		key := node.Content[i]
		switch {
		case key.Value == "<<":
			return fmt.Errorf("line %d: mappings are not merged here: write the knobs out, or give the whole mapping a name (&name) and use it (*name)", key.Line)
		case OwnerOf(key.Value) == 0:
			return fmt.Errorf("line %d: unknown knob %s; there are %s", key.Line, key.Value, knobNames())
		case seen[key.Value]:
			return fmt.Errorf("line %d: %s comes twice", key.Line, key.Value)
		}
		seen[key.Value] = true
		if err := visit(key.Value, node.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// named returns what an alias names.
func named(node *yaml.Node) *yaml.Node {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node
}

// scalar returns a value as it is written: true, 1e3 and 64KiB are all texts here.
func scalar(node *yaml.Node) (string, error) {
	if node = named(node); node.Kind != yaml.ScalarNode || node.Value == "" {
		return "", fmt.Errorf("line %d: want a single value", node.Line)
	}
	return node.Value, nil
}
