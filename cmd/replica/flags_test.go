//go:build linux

package main

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

func newParser(c *cli) *kong.Kong { return kong.Must(c, c.options()...) }

// parsed reads a command line of a replica that is valid but for what args say.
func parsed(t *testing.T, args ...string) (*cli, error) {
	t.Helper()
	var c cli
	valid := []string{"--id", "1", "--member", "1=127.0.0.1:7101,127.0.0.1:7001", "--member", "2=:7102,:7002"}
	return &c, c.parse(newParser(&c), append(valid, args...))
}

func TestFlags(t *testing.T) {
	c, err := parsed(t, "--batch", "count:64", "--linger=2ms", "--pprof", "--admin", "127.0.0.1:7201")
	if err != nil {
		t.Fatal(err)
	}
	if c.Batch.String() != "count:64" || c.Linger != 2*time.Millisecond || !c.Pprof || len(c.Members) != 2 || c.Compress != "none" {
		t.Errorf("read as %+v", c)
	}
}

// Whatever is wrong is reported, each once, whether a value cannot be read, is out of bounds, or contradicts another.
func TestAllViolationsAtOnce(t *testing.T) {
	_, err := parsed(t, "--batch", "count:0", "--pipeline", "0", "--linger=-1s", "--quorum2", "5", "--reads", "maybe",
		"--heartbeat", "soon", "--compress", "lz4", "--batch-bytes", "much", "--unreplicated=perhaps", "--durability", "sometimes",
		"--client-window", "many", "--machine", "sql", "--log-level", "loud", "--log-format", "xml", "--member", "3=127.0.0.1:7101,:7003")
	if err == nil {
		t.Fatal("accepted")
	}
	text := "\n" + err.Error()
	for _, name := range []string{
		"batch", "pipeline", "linger", "quorum2", "reads", "heartbeat", "compress", "batch-bytes", "unreplicated", "durability",
		"client-window", "machine", "log-level", "log-format", "member",
	} {
		if n := strings.Count(text, "\n"+name+":") + strings.Count(text, "\n"+name+" "); n != 1 {
			t.Errorf("%s is reported %d times in:%s", name, n, text)
		}
	}
}

func TestUnknownFlag(t *testing.T) {
	if _, err := parsed(t, "--batch", "count:0", "--frobnicate"); err == nil || !strings.Contains(err.Error(), "frobnicate") ||
		!strings.Contains(err.Error(), "count:0") {
		t.Errorf("reported as: %v", err)
	}
}

var update = flag.Bool("update", false, "write the flags and their defaults to where suites find them")

// Suites know which flags there are, and what holds without them, from a file.
func TestSuitesKnowTheFlags(t *testing.T) {
	var lines []string
	for _, f := range newParser(new(cli)).Model.Flags {
		lines = append(lines, strings.TrimSpace(f.Name+" "+f.Default))
	}
	slices.Sort(lines)
	const path = "../../bench/suite/flags/replica.txt"
	text := strings.Join(lines, "\n") + "\n"
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if known, err := os.ReadFile(path); err != nil || string(known) != text {
		t.Errorf("%s is not what the flags are (%v): go test ./cmd/replica -run %s -update", path, err, t.Name())
	}
}
