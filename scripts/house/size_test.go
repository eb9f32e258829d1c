package house

import (
	"fmt"
	"go/ast"
	"strings"
)

// Limits on the length of programs, in lines. What is longer has more than one subject.
const (
	maxFileLines     = 600
	maxFunctionLines = 70
	maxCommandLines  = 1000 // of all files of a package main
)

var sizeRules = []rule{
	{
		name:   "files are short",
		check:  programFiles(shortFile),
		passes: []sample{{"wire/a.go", "package wire" + lines(maxFileLines)}, {"wire/a_test.go", "package wire" + lines(maxFileLines+1)}},
		caught: []sample{{"wire/a.go", "package wire" + lines(maxFileLines+1)}},
	},
	{
		name:  "functions are short",
		check: programFiles(shortFunctions),
		passes: []sample{
			{"wire/a.go", "package wire; func f() {" + lines(maxFunctionLines-1) + "}"},
			{"wire/a_test.go", "package wire; func f() {" + lines(maxFunctionLines) + "}"},
			{"wire/a.go", "package wire; var table = []int{" + lines(maxFunctionLines) + "}"},
		},
		caught: []sample{
			{"wire/a.go", "package wire; func f() {" + lines(maxFunctionLines) + "}"},
			{"wire/a.go", "package wire; func (t *T[K]) f() {" + lines(maxFunctionLines) + "}"},
			{"wire/a.go", "package wire; var f = func() {" + lines(maxFunctionLines) + "}"},
		},
	},
	{
		name:   "commands are thin",
		check:  thinCommand,
		passes: []sample{{"cmd/replica/main.go", "package main" + lines(maxCommandLines)}, {"bench/a.go", "package bench" + lines(maxCommandLines+1)}},
		caught: []sample{{"cmd/replica/main.go", "package main" + lines(maxCommandLines+1)}},
	},
}

// lines returns n line ends.
func lines(n int) string { return strings.Repeat("\n", n) }

// lineCount is the number of lines of a file, each of which ends as gofmt has it.
func (f file) lineCount() int { return strings.Count(f.text, "\n") }

func shortFile(_ string, f file) []string {
	if n := f.lineCount(); n > maxFileLines {
		return []string{fmt.Sprintf("%s: %d lines, at most %d: split it by subject", f.path, n, maxFileLines)}
	}
	return nil
}

// shortFunctions checks functions and methods, and function values that belong to none. Those within a function count
// as part of it.
func shortFunctions(_ string, f file) (violations []string) {
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		name := "the function"
		switch function := n.(type) {
		case *ast.FuncDecl:
			name = function.Name.Name
		case *ast.FuncLit:
		default:
			return true
		}
		if long := f.line(n.End()) - f.line(n.Pos()) + 1; long > maxFunctionLines {
			violations = append(violations, fmt.Sprintf("%s: %s has %d lines, at most %d: split it", f.at(n), name, long, maxFunctionLines))
		}
		return false
	})
	return violations
}

func thinCommand(p pkg) []string {
	total := 0
	for _, f := range p.files {
		if f.syntax.Name.Name == "main" && !f.isTest() {
			total += f.lineCount()
		}
	}
	if total > maxCommandLines {
		return []string{fmt.Sprintf("%s: %d lines, at most %d: a command turns flags into a configuration, the rest is for a package", p.dir, total, maxCommandLines)}
	}
	return nil
}
