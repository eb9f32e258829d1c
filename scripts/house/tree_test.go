package house

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the path of the module, as in go.mod.
const module = "paxosbench"

// pkg is the Go files of one directory, its tests included.
type pkg struct {
	dir   string // slash-separated, from the root of the tree
	files []file
}

// file is one parsed Go file.
type file struct {
	path   string // slash-separated, from the root of the tree
	text   string
	fset   *token.FileSet
	syntax *ast.File
}

// isTest tells a test file from one that is part of a program.
func (f file) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

// at returns the place of a node, for messages.
func (f file) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", f.path, f.line(n.Pos()))
}

func (f file) line(p token.Pos) int { return f.fset.Position(p).Line }

// imported is one import of a file: a path and the name that the file knows it by.
type imported struct {
	path, name string
	spec       *ast.ImportSpec
}

// imports returns what a file imports. An unnamed import goes by the last element of its path that is no version, which
// is right for the standard library.
func (f file) imports() []imported {
	var list []imported
	for _, spec := range f.syntax.Imports {
		p, _ := strconv.Unquote(spec.Path.Value)
		name := path.Base(strings.TrimSuffix(p, "/v2"))
		if spec.Name != nil {
			name = spec.Name.Name
		}
		list = append(list, imported{p, name, spec})
	}
	return list
}

// eachFile makes a rule for packages of a rule for files.
func eachFile(check func(dir string, f file) []string) func(pkg) []string {
	return func(p pkg) (violations []string) {
		for _, f := range p.files {
			violations = append(violations, check(p.dir, f)...)
		}
		return violations
	}
}

// programFiles is eachFile without the tests.
func programFiles(check func(dir string, f file) []string) func(pkg) []string {
	return eachFile(func(dir string, f file) []string {
		if f.isTest() {
			return nil
		}
		return check(dir, f)
	})
}

// within tells whether a slash-separated path is root or lies below it.
func within(path, root string) bool {
	return path == root || strings.HasPrefix(path, root+"/")
}

// loadTree parses every Go file of the module.
func loadTree(t *testing.T) []pkg {
	t.Helper()
	root := os.DirFS(filepath.Join("..", ".."))
	if _, err := fs.Stat(root, "go.mod"); err != nil {
		t.Fatalf("this test belongs two directories below go.mod: %v", err)
	}
	files := map[string][]file{}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && ignored(name):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		dir := path.Dir(name)
		files[dir] = append(files[dir], parse(t, name, string(text)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var tree []pkg
	for _, dir := range slices.Sorted(maps.Keys(files)) {
		tree = append(tree, pkg{dir, files[dir]})
	}
	return tree
}

// ignored tells the directories that the go command leaves out.
func ignored(dir string) bool {
	base := path.Base(dir)
	return base == "testdata" || base != "." && strings.ContainsAny(base[:1], "._")
}

func parseSample(t *testing.T, s sample) pkg {
	t.Helper()
	return pkg{dir: path.Dir(s.path), files: []file{parse(t, s.path, s.text)}}
}

func parse(t *testing.T, name, text string) file {
	t.Helper()
	fset := token.NewFileSet()
	syntax, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return file{name, text, fset, syntax}
}
