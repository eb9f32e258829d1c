//go:build linux

package main

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"paxosbench/bench/record"
	"paxosbench/wire/client/clienttest"
)

// documented returns what the tables of one section of the document name: the code in the first column of each row. A
// name that begins with a dot stands beside the one before it: `a.b` `.c` is a.b and a.c.
func documented(t *testing.T, heading string) []string {
	t.Helper()
	doc, err := os.ReadFile("../../docs/loadgen.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(doc), "\n"+heading+"\n")
	if !found {
		t.Fatalf("no section %q", heading)
	}
	if next := regexp.MustCompile(`(?m)^#`).FindStringIndex(section); next != nil {
		section = section[:next[0]]
	}
	code := regexp.MustCompile("`([^`]+)`")
	var names []string
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		first, _, _ := strings.Cut(line[2:], "|")
		for _, match := range code.FindAllStringSubmatch(first, -1) {
			name := match[1]
			if strings.HasPrefix(name, ".") {
				last := names[len(names)-1]
				name = last[:strings.LastIndex(last, ".")] + name
			}
			names = append(names, name)
		}
	}
	return names
}

// wantDocumented fails if a section does not name exactly what there is.
func wantDocumented(t *testing.T, heading string, there []string) {
	t.Helper()
	names := documented(t, heading)
	for _, name := range there {
		if !slices.Contains(names, name) {
			t.Errorf("%s: %q is not documented", heading, name)
		}
	}
	for i, name := range names {
		if !slices.Contains(there, name) {
			t.Errorf("%s: %q is documented and does not exist", heading, name)
		}
		if slices.Contains(names[:i], name) {
			t.Errorf("%s: %q is documented twice", heading, name)
		}
	}
}

// keysOf lists the keys of a type as JSON, those of objects with their path. The keys of a type that has been listed
// already are not listed again under another path.
func keysOf(typ reflect.Type, path string, listed map[reflect.Type]bool) (keys []string) {
	switch typ.Kind() {
	case reflect.Pointer:
		return keysOf(typ.Elem(), path, listed)
	case reflect.Slice:
		return keysOf(typ.Elem(), path+"[]", listed)
	case reflect.Map:
		return keysOf(typ.Elem(), path+".*", listed)
	case reflect.Struct:
	default:
		return nil
	}
	if typ.Implements(reflect.TypeFor[json.Marshaler]()) || listed[typ] {
		return nil
	}
	listed[typ] = true
	prefix := strings.TrimPrefix(path+".", ".")
	for field := range typ.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		keys = append(keys, prefix+name)
		keys = append(keys, keysOf(field.Type, prefix+name, listed)...)
	}
	return keys
}

func TestKeysAreDocumented(t *testing.T) {
	listed := make(map[reflect.Type]bool)
	wantDocumented(t, "### result.json", keysOf(reflect.TypeFor[record.Result](), "", listed))
	wantDocumented(t, "### series.ndjson", keysOf(reflect.TypeFor[record.Row](), "", listed))
}

// An open loop and a closed one have between them every check and every key of the configuration.
func TestChecksAndConfigurationAreDocumented(t *testing.T) {
	server := listen(t, clienttest.Config{State: clienttest.NewNoopState()})
	checks, config := []string{"interrupted", "identity", record.CheckOverlap, record.CheckConfiguration}, []string(nil)
	for _, args := range [][]string{
		{"--rate", "1k", "--window", "0", "--max-send-lag", "1h", "--objective", "p99<1h", "--interval", "50ms"},
		{"--interval", "50ms", "--verify", "history", "--at", "0s kill 1", "--cluster-script", fakeScript(t)},
		{"--interval", "50ms", "--total", "10"},
		{"--interval", "50ms", "--stage", "100ms 1k", "--stage", "100ms 1k..2k"},
	} {
		dir := t.TempDir()
		run(t, server, append(args, "--out", dir)...)
		r, err := record.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range r.Checks {
			checks = append(checks, c.Name)
		}
		for key := range r.Config {
			config = append(config, key)
		}
	}
	slices.Sort(checks)
	slices.Sort(config)
	wantDocumented(t, "## The verdict", slices.Compact(checks))
	wantDocumented(t, "#### config", slices.Compact(config))
}

// The document and the help have every exit code, as the constants of the program do.
func TestExitCodesAreDocumented(t *testing.T) {
	program, err := parser.ParseFile(token.NewFileSet(), "main.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	ast.Inspect(program, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "exit") {
			codes = append(codes, spec.Values[0].(*ast.BasicLit).Value)
		}
		return true
	})
	if len(codes) < 9 {
		t.Fatalf("found the codes %q only", codes)
	}
	doc, err := os.ReadFile("../../docs/loadgen.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^\| (\d+) \|`).FindAllStringSubmatch(string(doc), -1)
	var documented []string
	for _, row := range rows {
		documented = append(documented, row[1])
	}
	if !slices.Equal(documented, codes) {
		t.Errorf("documented are the codes %q, there are %q", documented, codes)
	}
	for _, code := range codes {
		if !regexp.MustCompile(`\b` + code + `\s[a-z]`).MatchString(description) {
			t.Errorf("the help lacks code %s", code)
		}
	}
}

// The document names every histogram and file by the name that it has.
func TestFilesAreDocumented(t *testing.T) {
	wantDocumented(t, "## Files", []string{historyFile,
		record.ResultFile, record.SeriesFile, record.LogFile, record.IntendedFile, record.ServiceFile, record.SendLagFile,
	})
}

// What a run leaves is valid by the schema that is kept beside the document.
func TestResultIsValidBySchema(t *testing.T) {
	schema, err := validator.NewCompiler().Compile("../../docs/result.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	server := listen(t, clienttest.Config{})
	for _, args := range [][]string{nil, {"--rate", "1k", "--admin", "127.0.0.1:1", "--at", "0s kill 1", "--cluster-script", fakeScript(t), "--workload", "ycsb-f"}} {
		dir := t.TempDir()
		run(t, server, append(args, "--out", dir)...)
		file, err := os.Open(filepath.Join(dir, record.ResultFile))
		if err != nil {
			t.Fatal(err)
		}
		result, err := validator.UnmarshalJSON(file)
		file.Close()
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(result); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
}
