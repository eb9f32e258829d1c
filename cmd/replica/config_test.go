//go:build linux

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// withFile reads a command line of a replica that is valid but for a configuration file with this text.
func withFile(t *testing.T, text string, args ...string) (*cli, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "replica.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return parsed(t, append(args, "--config", path)...)
}

func TestConfigFile(t *testing.T) {
	c, err := withFile(t, `
# A comment.
pipeline: 8
log-bytes: 1048576
batch: "count:64"
heartbeat: &beat 20ms
election-timeout: 1h
linger: *beat
pprof: yes
admin: 127.0.0.1:7201
quorum2: 2
cluster-id: 18446744073709551615
compress: s2
`, "--compress", "zstd")
	if err != nil {
		t.Fatal(err)
	}
	if c.Pipeline.N != 8 || c.LogBytes != 1<<20 || c.Batch.N != 64 || c.Heartbeat != 20*time.Millisecond || c.Linger != c.Heartbeat ||
		!c.Pprof || c.Quorum2 != 2 || c.ClusterID != 1<<64-1 || c.Compress != "zstd" {
		t.Errorf("read as %+v", c.Config)
	}
}

func TestFileWithoutSettings(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n", "null\n", "{}\n"} {
		if _, err := withFile(t, text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// The members may be a list, or one.
func TestMembersInFile(t *testing.T) {
	var c cli
	path := filepath.Join(t.TempDir(), "replica.yaml")
	text := "id: 2\nmember:\n  - 1=:7101,:7001\n  - 2=127.0.0.1:7102,127.0.0.1:7002\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := c.parse(newParser(&c), []string{"--config", path}); err != nil {
		t.Fatal(err)
	}
	if c.ID != 2 || len(c.Members) != 2 || c.Members[1].Client != "127.0.0.1:7002" {
		t.Errorf("read as %+v", c.Config)
	}
}

// Every error names the file, the line, the key, the value, and what is wanted instead.
func TestErrorsInFile(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want []string // the lines of the error, behind the directory
	}{
		"no unit":         {"\nheartbeat: 50\n", []string{`replica.yaml:2: heartbeat: "50", want a time with its unit, like 50ms or 2s`}},
		"no unit, float":  {"linger: 0.5\n", []string{`replica.yaml:1: linger: "0.5", want a time with its unit, like 50ms or 2s`}},
		"out of range":    {"segment-bytes: 2GiB\n", []string{`replica.yaml:1: segment-bytes: 2147483648, want a multiple of 4096, 8388608 to 1073741824`}},
		"unknown":         {"log_bytes: 1MiB\n", []string{`replica.yaml:1: log_bytes: unknown key; want the name of a flag, perhaps log-bytes`}},
		"nothing like it": {"frobnicate: 1\n", []string{`replica.yaml:1: frobnicate: unknown key; want the name of a flag, see --help`}},
		"merge key":       {"<<: {linger: 1ms}\n", []string{`replica.yaml:1: <<: unknown key; want the name of a flag, see --help`}},
		"given twice":     {"linger: 1ms\nlinger: 2ms\n", []string{`replica.yaml:2: linger: given twice, first in line 1; keep one`}},
		"null":            {"linger:\n", []string{`replica.yaml:1: linger: no value; give one, or leave the key out for the default`}},
		"null by name":    {"linger: ~\n", []string{`replica.yaml:1: linger: no value; give one, or leave the key out for the default`}},
		"a list":          {"linger: [1ms]\n", []string{`replica.yaml:1: linger: a list; want one value, written as after --linger`}},
		"a mapping":       {"linger: {a: b}\n", []string{`replica.yaml:1: linger: a mapping; want one value, written as after --linger`}},
		"not a mapping":   {"- linger\n", []string{`replica.yaml:1: a list; want the names of flags, each with its value, as in "heartbeat: 50ms"`}},
		"a sentence":      {"linger 1ms\n", []string{`replica.yaml:1: "linger 1ms"; want the names of flags, each with its value, as in "heartbeat: 50ms"`}},
		"a list as key":   {"? [a]\n: b\n", []string{`replica.yaml:1: a list as a key; want the name of a flag`}},
		"two documents":   {"linger: 1ms\n---\nheartbeat: 1ms\n", []string{`replica.yaml:2: a second document; want one, delete everything from the second --- on`}},
		"a file in it":    {"config: other.yaml\n", []string{`replica.yaml:1: config: works on the command line only; delete it here`}},
		"a version in it": {"version: true\n", []string{`replica.yaml:1: version: works on the command line only; delete it here`}},
		"syntax":          {"linger: [\n", []string{`replica.yaml: line 1: did not find expected node content`}},
		"not a number":    {"pipeline: many\n", []string{`replica.yaml:1: pipeline: pipeline "many": want a number of slots from 1 to 4096, or adaptive`}},
		"a size":          {"log-bytes: big\n", []string{`replica.yaml:1: log-bytes: size "big": want bytes like 65536, 64KiB or 1MiB`}},
		"all at once": {"batch: count:0\nquorum2: 5\nreads: maybe\nlingre: 1ms\n", []string{
			`replica.yaml:1: batch: `, `replica.yaml:2: quorum2: 5, want 1 to 2, or 0 for a majority`, `replica.yaml:3: reads: `,
			`replica.yaml:4: lingre: unknown key; want the name of a flag, perhaps linger`}},
	} {
		_, err := withFile(t, tt.text)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		lines := strings.Split(err.Error(), "\n")
		for i, line := range lines {
			_, place, _ := strings.Cut(line, "replica.yaml")
			lines[i] = "replica.yaml" + place
		}
		slices.Sort(lines)
		if len(lines) != len(tt.want) {
			t.Errorf("%s: %d errors, want %d: %v", name, len(lines), len(tt.want), err)
			continue
		}
		for i, want := range tt.want {
			if !strings.HasPrefix(lines[i], want) {
				t.Errorf("%s: reported as\n%s, want\n%s", name, lines[i], want)
			}
		}
	}
}

// A flag wins over a file, whatever the file says.
func TestFlagOverFile(t *testing.T) {
	c, err := withFile(t, "linger: 1\n", "--linger", "2ms")
	if err != nil || c.Linger != 2*time.Millisecond {
		t.Errorf("linger %v, %v", c.Linger, err)
	}
}
