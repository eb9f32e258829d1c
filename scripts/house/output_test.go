package house

import (
	"fmt"
	"go/ast"
	"slices"
)

// writers may create files as they like: what they write is theirs alone, in directories that go when they end.
var writers = []string{
	"bench/record/files.go",       // the log of a run that is not finished
	"bench/local.go",              // logs of a run
	"bench/cluster/system.go",     // configuration files in a cluster's directory
	"bench/compare/stage.go",      // programs in a scratch directory
	"bench/defects/main.go",       // changed sources, likewise
	"replica/sim/mutants/main.go", // likewise
}

var outputRules = []rule{
	{
		name:  "what people keep is replaced whole",
		check: programFiles(writtenWhole),
		passes: []sample{
			{"bench/report/a.go", `package report; import "paxosbench/bench/record"; func f() { record.SaveFile("report.html", nil) }`},
			{"bench/report/a.go", `package report; import "os"; func f() { os.ReadFile("report.html") }`},
			{"bench/report/a_test.go", `package report; import "os"; func f() { os.WriteFile("report.html", nil, 0) }`},
			{"bench/local.go", `package bench; import "os"; func f() { os.WriteFile("loadgen.log", nil, 0) }`},
		},
		caught: []sample{
			{"bench/report/a.go", `package report; import "os"; func f() { os.WriteFile("report.html", nil, 0) }`},
			{"cmd/bench/a.go", `package main; import system "os"; func f() { system.Create("flame.svg") }`},
			{"bench/suite/a.go", `package suite; import "os"; var create = os.Create`},
		},
	},
}

// writtenWhole finds where files are written in place: what was there before is lost when that fails.
func writtenWhole(_ string, f file) (violations []string) {
	if slices.Contains(writers, f.path) {
		return nil
	}
	for _, i := range f.imports() {
		if i.path != "os" {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := selector.X.(*ast.Ident)
			if ok && x.Name == i.name && slices.Contains([]string{"WriteFile", "Create"}, selector.Sel.Name) {
				violations = append(violations, fmt.Sprintf("%s: %s.%s loses what was there when it fails: write with record.WriteFile", f.at(n), i.name, selector.Sel.Name))
			}
			return true
		})
	}
	return violations
}
