package main

import (
	"fmt"
	"io"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// loadYAML makes a configuration file a source of flag values. A key that is no flag is refused.
func loadYAML(r io.Reader) (kong.Resolver, error) {
	values := map[string]any{}
	if err := yaml.NewDecoder(r).Decode(&values); err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	return &yamlResolver{values}, nil
}

type yamlResolver struct{ values map[string]any }

// Validate implements kong.Resolver.
func (y *yamlResolver) Validate(app *kong.Application) error {
	known := map[string]bool{}
	for _, flag := range app.Flags {
		known[flag.Name] = true
	}
	for key := range y.values {
		if !known[key] {
			return fmt.Errorf("configuration file: unknown key %q; keys are the names of the flags, see --help", key)
		}
	}
	return nil
}

// Resolve implements kong.Resolver.
func (y *yamlResolver) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	return y.values[flag.Name], nil
}
