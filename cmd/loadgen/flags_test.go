//go:build linux

package main

import (
	"cmp"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"paxosbench/wire/client/clienttest"
)

var update = flag.Bool("update", false, "write the flags and their defaults to where suites find them")

// Suites know which flags there are, and what holds without them, from a file.
func TestSuitesKnowTheFlags(t *testing.T) {
	var lines []string
	usual := defaults()
	parser := kong.Must(new(cli), kong.ExplicitGroups(flagGroups), reportWords(), usual, durationText)
	for _, command := range parser.Model.Children {
		for _, f := range command.Flags {
			if command.Name == "run" {
				lines = append(lines, strings.TrimSpace(f.Name+" "+cmp.Or(f.Default, usual[strings.ReplaceAll(f.Name, "-", "_")])))
			}
		}
	}
	slices.Sort(lines)
	const path = "../../bench/suite/flags/loadgen.txt"
	text := strings.Join(lines, "\n") + "\n"
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if known, err := os.ReadFile(path); err != nil || string(known) != text {
		t.Errorf("%s is not what the flags are (%v): go test ./cmd/loadgen -run %s -update", path, err, t.Name())
	}
}

// A check says what is wrong and does nothing.
func TestCheck(t *testing.T) {
	server := listen(t, clienttest.Config{})
	run(t, server, "--check").want(t, exitValid, "")
	run(t, server, "--check", "--window=-1", "--keys", "0").want(t, exitUsage, "window")
	run(t, server, "--check", "--tick", "1ms").want(t, exitUsage, "give --rate")
	if n := server.State().Executed(); n > 0 {
		t.Errorf("%d operations are executed", n)
	}
}
