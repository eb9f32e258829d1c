//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// configFile is a YAML file as a source of flag values: a mapping of flag names to what would stand after the flag. Values
// are read as the text that is in the file, not as what YAML makes of it, so that a file and a command line that look the
// same mean the same. What is wrong with it is collected in problems.
type configFile struct {
	name     string
	entries  []entry
	problems *problems
}

// entry is one key with its value.
type entry struct {
	key   string
	line  int
	value *yaml.Node
}

// loadConfig reads a file. What a YAML parser cannot read is the only error that it returns.
func (p *problems) loadConfig(r io.Reader) (kong.Resolver, error) {
	f := &configFile{name: "configuration file", problems: p}
	if named, ok := r.(interface{ Name() string }); ok {
		f.name = named.Name()
	}
	p.files = append(p.files, f)
	decoder := yaml.NewDecoder(r)
	var document, second yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		return f, nil // nothing but comments: nothing is set
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %s", f.name, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		f.complain(max(second.Line, 1), "a second document; want one, delete everything from the second --- on")
	}
	f.readMapping(resolve(document.Content[0]))
	return f, nil
}

// readMapping takes the keys of the document.
func (f *configFile) readMapping(n *yaml.Node) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		f.complain(n.Line, "%s; want the names of flags, each with its value, as in %q", describe(n), "heartbeat: 50ms")
		return
	}
	seen := map[string]int{}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := resolve(n.Content[i]), resolve(n.Content[i+1])
		first := seen[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode:
			f.complain(key.Line, "%s as a key; want the name of a flag", describe(key))
		case first != 0:
			f.complain(key.Line, "%s: given twice, first in line %d; keep one", key.Value, first)
		default:
			seen[key.Value] = key.Line
			f.entries = append(f.entries, entry{key.Value, key.Line, value})
		}
	}
}

func (f *configFile) complain(line int, format string, args ...any) {
	f.problems.add(fmt.Errorf("%s:%d: %s", f.name, line, fmt.Sprintf(format, args...)))
}

// checkKeys refuses keys that are not flags.
func (f *configFile) checkKeys(flags []*kong.Flag) {
	known := map[string]bool{}
	for _, flag := range flags {
		known[flag.Name] = !slices.Contains([]string{"config", "check", "help", "version"}, flag.Name)
	}
	for _, e := range f.entries {
		if settable, ok := known[e.key]; !ok {
			f.complain(e.line, "%s: unknown key; want the name of a flag, %s", e.key, suggest(e.key, known))
		} else if !settable {
			f.complain(e.line, "%s: works on the command line only; delete it here", e.key)
		}
	}
}

// Validate implements kong.Resolver. The parser calls it too late for what it finds to be reported beside all else: see
// checkKeys.
func (f *configFile) Validate(*kong.Application) error { return nil }

// suggest names the flag that was meant, most likely.
func suggest(key string, known map[string]bool) string {
	best, least := "", len(key)/2+1
	for name, settable := range known {
		if d := distance(key, name); settable && (d < least || d == least && name < best) {
			best, least = name, d
		}
	}
	if best == "" {
		return "see --help"
	}
	return "perhaps " + best
}

// distance returns how many letters must be changed, added or left out to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// Resolve implements kong.Resolver. The parser asks for those flags only that are not on the command line.
func (f *configFile) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, e := range f.entries {
		if e.key != flag.Name {
			continue
		}
		texts, ok := f.texts(e, flag.IsSlice())
		if !ok {
			return nil, nil
		}
		f.problems.origins[e.key] = fmt.Sprintf("%s:%d: ", f.name, e.line)
		if flag.IsSlice() {
			return texts, nil
		}
		return texts[0], nil
	}
	return nil, nil
}

// texts returns the values of an entry, one unless there may be several.
func (f *configFile) texts(e entry, several bool) (list []any, ok bool) {
	values := []*yaml.Node{e.value}
	if several && e.value.Kind == yaml.SequenceNode {
		values = e.value.Content
	}
	for _, v := range values {
		switch v = resolve(v); {
		case isNull(v):
			f.complain(e.line, "%s: no value; give one, or leave the key out for the default", e.key)
			return nil, false
		case v.Kind != yaml.ScalarNode:
			f.complain(e.line, "%s: %s; want one value, written as after --%s", e.key, describe(v), e.key)
			return nil, false
		}
		list = append(list, v.Value)
	}
	if len(list) == 0 {
		f.complain(e.line, "%s: an empty list; give a value, or leave the key out for the default", e.key)
	}
	return list, len(list) > 0
}

// resolve returns the node that an alias refers to.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		return fmt.Sprintf("%q", n.Value)
	}
}
