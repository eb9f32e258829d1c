package house

import (
	"fmt"
	"go/ast"
	"slices"
)

// purePackages are functions of their arguments: now is an argument, randomness a seed. That is what lets a simulator
// run them as they are and replay a failure from its seed.
var purePackages = []string{"wire", "wire/ring", "batching", "pipeline", "replica/paxos", "replica/machine", "replica/node"}

// sockets are below wire because both halves need them, or anybody's program, and are as impure as TLS is.
var sockets = []string{"wire/secure", "wire/loopback", "wire/client"}

// drawings are impure, as they read files, and run on their caller's goroutine like pure packages, so that the gate need not look for
// races in them.
var drawings = []string{"bench/chart", "bench/report"}

// isPure reports whether a directory is that of a pure package, or below one.
func isPure(dir string) bool {
	return withinAny(dir, purePackages) && !withinAny(dir, sockets)
}

// impureImports are the trees of the standard library that lead out of a pure package.
var impureImports = []string{"net", "os", "sync", "syscall", "math/rand", "crypto/rand", "log", "runtime"}

// clockReads are what package time must not be asked for in a pure package. Durations are fine.
var clockReads = []string{
	"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Timer", "Ticker",
}

var pureRules = []rule{
	{
		name:  "pure packages import nothing that has state",
		check: programFiles(pureImports),
		passes: []sample{
			{"wire/a.go", `package wire; import "hash/crc32"`},
			{"wire/a_test.go", `package wire; import "math/rand/v2"`},
			{"replica/transport/a.go", `package transport; import "net"`},
			{"pipeline/a.go", `package pipeline; import "time"`},
		},
		caught: []sample{
			{"wire/a.go", `package wire; import "sync"`},
			{"wire/compress/a.go", `package compress; import "sync/atomic"`},
			{"batching/a.go", `package batching; import "os"`},
			{"pipeline/a.go", `package pipeline; import "math/rand"`},
			{"replica/paxos/a.go", `package paxos; import random "math/rand/v2"`},
			{"replica/machine/a.go", `package machine; import "net/http"`},
		},
	},
	{
		name:  "pure packages read no clock",
		check: programFiles(noClock),
		passes: []sample{
			{"pipeline/a.go", `package pipeline; import "time"; const linger = 5 * time.Millisecond`},
			{"pipeline/a.go", `package pipeline; type clock struct{}; func (clock) Now() int { return 0 }; var time clock; var _ = time.Now()`},
			{"pipeline/a_test.go", `package pipeline; import "time"; var start = time.Now()`},
			{"replica/a.go", `package replica; import "time"; var start = time.Now()`},
		},
		caught: []sample{
			{"pipeline/a.go", `package pipeline; import "time"; var start = time.Now()`},
			{"batching/a.go", `package batching; import t "time"; func wait() { <-t.After(1) }`},
			{"replica/paxos/a.go", `package paxos; import "time"; var now = time.Now`},
			{"replica/machine/a.go", `package machine; import . "time"`},
			{"wire/a.go", `package wire; import "time"; type linger struct{ timer *time.Timer }`},
		},
	},
	{
		name:  "pure packages and drawings start no goroutine",
		check: programFiles(noGoroutine),
		passes: []sample{
			{"pipeline/a.go", `package pipeline; func f() { defer f() }`},
			{"replica/journal/a.go", `package journal; func f() { go f() }`},
		},
		caught: []sample{
			{"pipeline/a.go", `package pipeline; func f() { go f() }`},
			{"replica/paxos/a.go", `package paxos; func f() { func() { go f() }() }`},
			{"bench/report/a.go", `package report; func f() { go f() }`},
		},
	},
}

func pureImports(dir string, f file) (violations []string) {
	if !isPure(dir) {
		return nil
	}
	for _, i := range f.imports() {
		if withinAny(i.path, impureImports) {
			violations = append(violations, fmt.Sprintf("%s: %s is pure and may not import %s: take what you need of it as an argument", f.at(i.spec), dir, i.path))
		}
	}
	return violations
}

func noClock(dir string, f file) (violations []string) {
	if !isPure(dir) {
		return nil
	}
	for _, i := range f.imports() {
		if i.path != "time" {
			continue
		}
		if i.name == "." {
			violations = append(violations, f.at(i.spec)+": import time by a name, so that reads of the clock can be seen")
		}
		violations = append(violations, clockReadsIn(f, i.name)...)
	}
	return violations
}

// clockReadsIn finds the reads of the clock in a file that knows package time by the given name.
func clockReadsIn(f file, name string) (violations []string) {
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := selector.X.(*ast.Ident)
		if ok && x.Name == name && slices.Contains(clockReads, selector.Sel.Name) {
			violations = append(violations, fmt.Sprintf("%s: no %s.%s in a pure package: take the time as an argument", f.at(n), name, selector.Sel.Name))
		}
		return true
	})
	return violations
}

func noGoroutine(dir string, f file) (violations []string) {
	if !isPure(dir) && !withinAny(dir, drawings) {
		return nil
	}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if _, ok := n.(*ast.GoStmt); ok {
			violations = append(violations, fmt.Sprintf("%s: %s runs on its caller's goroutine", f.at(n), dir))
		}
		return true
	})
	return violations
}
