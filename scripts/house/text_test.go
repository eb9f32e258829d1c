package house

import (
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"strings"
)

var textRules = []rule{
	{
		name:   "every package says what it is",
		check:  packageComment,
		passes: []sample{{"wire/doc.go", "// Package wire is the format.\npackage wire"}, {"cmd/replica/main.go", "// Command replica runs.\npackage main"}},
		caught: []sample{
			{"wire/doc.go", "package wire"},
			{"wire/doc.go", "// Copyright.\n\npackage wire"},
			{"wire/doc.go", "//go:build linux\npackage wire"},
		},
	},
	{
		name:  "public names are documented",
		check: programFiles(documented),
		passes: []sample{
			{"wire/a.go", "package wire\n// Size is a number of bytes.\ntype Size int\n// Get gets.\nfunc (s Size) Get() {}\ntype own int\nfunc (o own) Get() {}"},
			{"wire/a.go", "package wire\n// The sizes, in bytes.\nconst (\n\tSmall = 1\n\tLarge = 2\n)"},
			{"wire/a.go", "package wire\nvar (\n\tSmall = 1 // in bytes\n)"},
			{"cmd/replica/main.go", "package main\ntype Flags struct{}"},
			{"wire/a_test.go", "package wire\nfunc TestA() {}"},
		},
		caught: []sample{
			{"wire/a.go", "package wire\nfunc Get() {}"},
			{"wire/a.go", "package wire\n// Size is.\ntype Size[K any] int\nfunc (s *Size[K]) Get() {}"},
			{"wire/a.go", "package wire\ntype Size int"},
			{"wire/a.go", "package wire\nvar (\n\tSmall = 1\n)"},
		},
	},
	{
		name:   "nothing is left for later",
		check:  eachFile(nothingLeft),
		passes: []sample{{"wire/a.go", "package wire // what to do: nothing"}, {"wire/a.go", "package wire; var toDos, TODOS int"}},
		caught: []sample{
			{"wire/a.go", "package wire // TO" + "DO: more"},
			{"wire/a_test.go", "package wire; var _ = \"FIX" + "ME\""},
		},
	},
}

// packageComment wants the comment in a program file, for that is where it is shown; a package of tests alone has it in
// one of them.
func packageComment(p pkg) []string {
	hasProgram := slices.ContainsFunc(p.files, func(f file) bool { return !f.isTest() })
	for _, f := range p.files {
		if f.isTest() && hasProgram {
			continue
		}
		if strings.TrimSpace(f.syntax.Doc.Text()) != "" {
			return nil
		}
	}
	return []string{fmt.Sprintf("package %s has no package comment", p.dir)}
}

// documented wants a comment on every public name of a package that can be imported. For constants and variables one
// comment on their group will do.
func documented(_ string, f file) (violations []string) {
	if f.syntax.Name.Name == "main" {
		return nil
	}
	for _, decl := range f.syntax.Decls {
		for _, name := range undocumented(decl) {
			violations = append(violations, fmt.Sprintf("%s: %s is public and has no comment", f.at(name), name.Name))
		}
	}
	return violations
}

// undocumented returns the public names of a declaration that no comment explains.
func undocumented(decl ast.Decl) (names []*ast.Ident) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && publicReceiver(d) {
			names = append(names, d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			names = append(names, undocumentedInSpec(d, spec)...)
		}
	}
	return names
}

func undocumentedInSpec(d *ast.GenDecl, spec ast.Spec) (names []*ast.Ident) {
	switch s := spec.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() && s.Doc == nil && d.Doc == nil {
			names = append(names, s.Name)
		}
	case *ast.ValueSpec:
		for _, name := range s.Names {
			if name.IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil {
				names = append(names, name)
			}
		}
	}
	return names
}

// publicReceiver tells whether a function is no method, or one of a public type.
func publicReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	receiver := d.Recv.List[0].Type
	for {
		switch r := receiver.(type) {
		case *ast.StarExpr:
			receiver = r.X
		case *ast.IndexExpr:
			receiver = r.X
		case *ast.IndexListExpr:
			receiver = r.X
		case *ast.Ident:
			return r.IsExported()
		default:
			return false
		}
	}
}

// leftForLater is put together from halves, or this file would break its own rule.
var leftForLater = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)

func nothingLeft(_ string, f file) (violations []string) {
	number := 0
	for line := range strings.Lines(f.text) {
		number++
		if word := leftForLater.FindString(line); word != "" {
			violations = append(violations, fmt.Sprintf("%s:%d: %s: do it, or leave it out", f.path, number, word))
		}
	}
	return violations
}
