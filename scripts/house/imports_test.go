package house

import (
	"fmt"
	"slices"
	"strings"
)

// room is a part of the house: a package and those below it that are no room of their own.
type room struct {
	dir string

	// uses lists the rooms that its programs may import, besides itself. A trailing /... takes in the rooms below.
	uses []string
}

// rooms is the plan of the house. Imports go down; the system under test (replica, batching, pipeline) and the
// instrument (bench) share nothing but wire and what is below it, so that neither can inherit the other's mistakes. A new package needs
// a place here.
var rooms = []room{
	{dir: "wire"},
	{dir: "wire/compress", uses: []string{"wire"}},
	{dir: "wire/ring"},
	{dir: "wire/loopback"},
	{dir: "wire/secure"},
	{dir: "wire/client", uses: []string{"wire", "wire/ring", "wire/secure", "wire/client/loop"}},
	{dir: "wire/client/loop", uses: []string{"wire", "wire/loopback", "wire/secure"}},
	{dir: "wire/client/clienttest", uses: []string{"wire", "wire/secure"}},
	{dir: "batching", uses: []string{"wire", "wire/ring"}},
	{dir: "pipeline", uses: []string{"wire"}},

	{dir: "replica/paxos", uses: []string{"wire", "pipeline", "wire/ring"}},
	{dir: "replica/journal", uses: []string{"wire"}},
	{dir: "replica/machine", uses: []string{"wire"}},
	{dir: "replica/transport", uses: []string{"wire", "wire/loopback", "wire/ring", "wire/secure"}},
	{dir: "replica/snapshot", uses: []string{"wire/...", "replica/machine", "replica/journal"}},
	{dir: "replica/node", uses: []string{
		"wire/...", "batching", "pipeline", "replica/paxos", "replica/machine", "replica/snapshot",
	}},
	{dir: "replica/storage", uses: []string{
		"wire", "wire/ring", "replica/paxos", "replica/machine", "replica/journal", "replica/snapshot", "replica/node",
	}},
	{dir: "replica/explore", uses: []string{"wire", "pipeline", "replica/paxos"}},
	{dir: "replica/sim", uses: []string{
		"wire/...", "batching", "pipeline", "replica/paxos", "replica/machine", "replica/journal", "replica/snapshot",
		"replica/node", "replica/storage",
	}},
	{dir: "replica", uses: []string{
		"wire/...", "batching", "pipeline", "replica/paxos", "replica/machine", "replica/journal", "replica/snapshot",
		"replica/node", "replica/storage", "replica/transport",
	}},
	{dir: "cmd/replica", uses: []string{"wire/...", "batching", "pipeline", "replica/...", "cmd/program"}},

	{dir: "bench", uses: []string{"wire/...", "bench/..."}},
	{dir: "bench/peers", uses: []string{"wire/...", "replica/...", "bench/...", "cmd/program", "cmd/bench"}}, // a module of its own
	{dir: "bench/record", uses: []string{"wire"}},
	{dir: "bench/target", uses: []string{"wire", "wire/client/loop"}},
	{dir: "bench/client", uses: []string{"wire/secure", "wire/client/loop", "bench/target"}},
	{dir: "bench/load/units"},
	{dir: "bench/load/draw"},
	{dir: "bench/load/inflight", uses: []string{"bench/target"}},
	{dir: "bench/load/workload", uses: []string{"wire", "bench/target", "bench/load/draw", "bench/load/units", "bench/load/inflight"}},
	{dir: "bench/load/pacing", uses: []string{"bench/load/units"}},
	{dir: "bench/load/streams", uses: []string{"wire", "bench/target", "bench/load/workload", "bench/load/inflight"}},
	{dir: "bench/load/verify", uses: []string{
		"wire", "bench/target", "bench/record", "bench/load/workload", "bench/load/streams", "bench/load/pacing",
	}},
	{dir: "bench/load/verdict", uses: []string{"bench/record", "bench/load/units", "bench/load/pacing"}},
	{dir: "bench/load/observe", uses: []string{"wire", "bench/record", "bench/target"}},
	{dir: "bench/load/events", uses: []string{"bench/record", "bench/load/observe", "bench"}},
	{dir: "cmd/loadgen", uses: []string{"wire/...", "bench/...", "cmd/program"}},
	{dir: "cmd/bench", uses: []string{"wire/...", "bench/...", "cmd/program"}},
	{dir: "cmd/program"},

	{dir: "cmd/e2e", uses: []string{"wire", "bench/netem"}},
	{dir: "scripts/house"},
	{dir: "scripts/doccheck"},
	{dir: "scripts/notices"},
}

// roomOf finds the room of a package: the longest match.
func roomOf(dir string) (room, bool) {
	var found room
	for _, r := range rooms {
		if within(dir, r.dir) && len(r.dir) > len(found.dir) {
			found = r
		}
	}
	return found, found.dir != ""
}

// mayUse tells whether the programs of one room may import another.
func (r room) mayUse(other room) bool {
	return other.dir == r.dir || slices.ContainsFunc(r.uses, func(use string) bool {
		below, open := strings.CutSuffix(use, "/...")
		return other.dir == below || open && within(other.dir, below)
	})
}

var importRules = []rule{
	{
		name:  "every package has a place in the house",
		check: hasRoom,
		passes: []sample{
			{"wire/a.go", "package wire"},
			{"bench/load/a.go", "package load"},
		},
		caught: []sample{
			{"util/a.go", "package util"},
			{"main.go", "package main"},
			{"cmd/new/main.go", "package main"},
		},
	},
	{
		name:  "imports go down",
		check: programFiles(importsGoDown),
		passes: []sample{
			{"wire/a.go", `package wire; import "encoding/binary"`},
			{"batching/a.go", `package batching; import "paxosbench/wire"`},
			{"replica/a.go", `package replica; import "paxosbench/replica/paxos"`},
			{"replica/journal/disk/a.go", `package disk; import "paxosbench/replica/journal"`},
			{"replica/paxos/a_test.go", `package paxos; import "paxosbench/replica/node"`},
			{"bench/a.go", `package bench; import "paxosbench/bench/load"`},
			{"cmd/replica/main.go", `package main; import "paxosbench/replica"`},
		},
		caught: []sample{
			{"wire/a.go", `package wire; import "paxosbench/wire/compress"`},
			{"batching/a.go", `package batching; import "paxosbench/pipeline"`},
			{"pipeline/a.go", `package pipeline; import "paxosbench/batching"`},
			{"replica/paxos/a.go", `package paxos; import "paxosbench/batching"`},
			{"replica/paxos/a.go", `package paxos; import "paxosbench/replica"`},
			{"replica/journal/a.go", `package journal; import "paxosbench/replica/machine"`},
			{"replica/a.go", `package replica; import "paxosbench/bench"`},
			{"replica/a.go", `package replica; import "paxosbench/replica/sim"`},
			{"bench/load/a.go", `package load; import "paxosbench/batching"`},
			{"bench/load/workload/a.go", `package workload; import "paxosbench/bench/load"`},
			{"bench/load/verify/a.go", `package verify; import "paxosbench/bench/load/verdict"`},
			{"cmd/loadgen/main.go", `package main; import "paxosbench/replica"`},
			{"wire/a.go", `package wire; import "paxosbench/unheard/of"`},
		},
	},
	{
		name:  "the instrument knows nothing of the system under test, tests included",
		check: eachFile(instrumentApart),
		passes: []sample{
			{"bench/load/a_test.go", `package load; import "paxosbench/wire"`},
			{"replica/a_test.go", `package replica; import "paxosbench/replica/sim"`},
			{"bench/peers/front/a.go", `package front; import "paxosbench/replica/machine"`},
		},
		caught: []sample{
			{"bench/load/a_test.go", `package load; import "paxosbench/replica"`},
			{"bench/a_test.go", `package bench; import "paxosbench/pipeline"`},
			{"cmd/loadgen/a_test.go", `package main; import "paxosbench/replica/machine"`},
		},
	},
	{
		name:  "replicas do not use the client",
		check: programFiles(clientApart),
		passes: []sample{
			{"replica/a_test.go", `package replica; import "paxosbench/wire/client"`},
			{"bench/target/a.go", `package target; import "paxosbench/wire/client/loop"`},
			{"replica/a.go", `package replica; import "paxosbench/wire/secure"`},
		},
		caught: []sample{
			{"replica/a.go", `package replica; import "paxosbench/wire/client"`},
			{"cmd/replica/a.go", `package main; import "paxosbench/wire/client/loop"`},
		},
	},
	{
		name:  "only replica/transport uses gnet",
		check: eachFile(gnetInTransport),
		passes: []sample{
			{"replica/transport/a.go", `package transport; import "github.com/panjf2000/gnet/v2"`},
			{"replica/a.go", `package replica; import "paxosbench/replica/transport"`},
		},
		caught: []sample{
			{"replica/a.go", `package replica; import "github.com/panjf2000/gnet/v2"`},
			{"wire/client/a_test.go", `package client; import g "github.com/panjf2000/gnet/v2/pkg/logging"`},
		},
	},
}

func hasRoom(p pkg) []string {
	if _, ok := roomOf(p.dir); !ok {
		return []string{fmt.Sprintf("package %s has no place in the house: give it one in scripts/house/imports_test.go", p.dir)}
	}
	return nil
}

func importsGoDown(dir string, f file) (violations []string) {
	from, _ := roomOf(dir)
	for _, i := range f.imports() {
		to, ours := strings.CutPrefix(i.path, module+"/")
		if !ours {
			continue
		}
		if room, ok := roomOf(to); !ok || !from.mayUse(room) {
			violations = append(violations, fmt.Sprintf("%s: %s may not import %s", f.at(i.spec), dir, to))
		}
	}
	return violations
}

// systemUnderTest and instrument are the two halves of the house; bystanders lie below the instrument and belong to neither: other
// systems, which serve our state machine.
var (
	systemUnderTest = []string{"replica", "batching", "pipeline"}
	instrument      = []string{"bench", "cmd/loadgen", "cmd/bench"}
	bystanders      = []string{"bench/peers"}
)

func withinAny(path string, roots []string) bool {
	return slices.ContainsFunc(roots, func(root string) bool { return within(path, root) })
}

func instrumentApart(dir string, f file) (violations []string) {
	if !withinAny(dir, instrument) || withinAny(dir, bystanders) {
		return nil
	}
	for _, i := range f.imports() {
		if to, ours := strings.CutPrefix(i.path, module+"/"); ours && withinAny(to, systemUnderTest) {
			violations = append(violations, fmt.Sprintf("%s: the instrument may not import %s: they share only wire", f.at(i.spec), to))
		}
	}
	return violations
}

func clientApart(dir string, f file) (violations []string) {
	if !withinAny(dir, append(systemUnderTest, "cmd/replica")) {
		return nil
	}
	for _, i := range f.imports() {
		if within(i.path, module+"/wire/client") {
			violations = append(violations, fmt.Sprintf("%s: %s may not import %s: a client's mistakes are not to be the replicas'", f.at(i.spec), dir, i.path))
		}
	}
	return violations
}

func gnetInTransport(dir string, f file) (violations []string) {
	for _, i := range f.imports() {
		if within(i.path, "github.com/panjf2000/gnet/v2") && dir != "replica/transport" {
			violations = append(violations, fmt.Sprintf("%s: gnet is for replica/transport alone", f.at(i.spec)))
		}
	}
	return violations
}
