// Package conffile reads flags from a file: what a command line would say, in YAML, in the spelling of the flags.
package conffile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// Flag is --config: a file of flags. Those of the command line come before it.
type Flag string

// BeforeResolve reads the file. The parser calls it.
func (f Flag) BeforeResolve(app *kong.Kong, ctx *kong.Context, trace *kong.Path) error {
	path := string(ctx.FlagValue(trace.Flag).(Flag))
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	r, err := read(file)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	ctx.AddResolver(r)
	return r.check(path, ctx)
}

// resolver gives flags the values of a file: texts, and lists of texts.
type resolver map[string]any

// read reads a file. Anything but flags with a value, or a list of values, is refused. Values stay the texts that they are: the
// flags know how to read them.
func read(from io.Reader) (resolver, error) {
	var nodes map[string]yaml.Node
	file := yaml.NewDecoder(from)
	if err := file.Decode(&nodes); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("want lines of FLAG: VALUE: %w", err)
	}
	if err := file.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is a second document: delete everything from the second --- on")
	}
	r := make(resolver)
	for name, node := range nodes {
		if node.Kind != yaml.SequenceNode {
			value, err := text(name, &node)
			if err != nil {
				return nil, err
			}
			r[name] = value
			continue
		}
		list := []any{}
		for _, item := range node.Content {
			value, err := text(name, item)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		r[name] = list
	}
	return r, nil
}

// text returns the text of a value.
func text(name string, node *yaml.Node) (string, error) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch {
	case node.Kind != yaml.ScalarNode:
		return "", fmt.Errorf("line %d: %s: want a value or a list of values", node.Line, name)
	case node.Tag == "!!null":
		return "", fmt.Errorf("line %d: %s has no value", node.Line, name)
	}
	return node.Value, nil
}

// check refuses what is no flag of the command.
func (r resolver) check(path string, ctx *kong.Context) error {
	var names, unknown []string
	for _, flag := range ctx.Flags() {
		names = append(names, flag.Name)
	}
	for name := range r {
		if !slices.Contains(names, name) || slices.Contains([]string{"config", "check", "help", "version"}, name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	return fmt.Errorf("%s: %s has no flag %s: flags are spelled as on the command line, without the dashes", path, ctx.Command(), strings.Join(unknown, ", "))
}

// Validate implements kong.Resolver.
func (resolver) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver.
func (r resolver) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	value, ok := r[flag.Name]
	if !ok {
		return nil, nil
	}
	list, ok := value.([]any)
	if !ok {
		return value, nil
	}
	if !flag.IsSlice() {
		return nil, fmt.Errorf("%s takes one value, not a list", flag.Name)
	}
	return list, nil
}
