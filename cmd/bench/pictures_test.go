//go:build linux

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"paxosbench/cmd/program"
)

// TestFlame draws a profile beside itself, and says of an empty one what to do.
func TestFlame(t *testing.T) {
	fn := &profile.Function{ID: 1, Name: "main.work"}
	place := &profile.Location{ID: 1, Line: []profile.Line{{Function: fn}}}
	p := &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "cpu", Unit: "nanoseconds"}}, Function: []*profile.Function{fn}, Location: []*profile.Location{place},
		Sample: []*profile.Sample{{Location: []*profile.Location{place}, Value: []int64{5e6}}},
	}
	path := filepath.Join(t.TempDir(), "cpu.pprof")
	write := func() {
		var data bytes.Buffer
		if err := p.Write(&data); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write()
	if code, _, said := invoke(t, "flame", path); code != program.ExitDone {
		t.Fatalf("exit code %d: %s", code, said)
	}
	svg, err := os.ReadFile(strings.TrimSuffix(path, "pprof") + "svg")
	if err != nil || !bytes.Contains(svg, []byte("main.work")) || !bytes.Contains(svg, []byte(">cpu<")) {
		t.Errorf("%v: %.200s", err, svg)
	}
	p.Sample = nil
	write()
	if code, _, said := invoke(t, "flame", path); code != program.ExitInternal || !strings.Contains(said, "no samples") {
		t.Errorf("an empty profile: exit code %d, %s", code, said)
	}
}

func TestCompareUsage(t *testing.T) {
	for _, args := range [][]string{
		{"compare"},
		{"compare", "--", "--nonsense 1", ""},
		{"compare", "--", "", "--window 64"},
		{"compare", "--pairs", "0", "--", "", ""},
		{"compare", "--bin", "nowhere", "--", "", ""},
	} {
		t.Chdir(t.TempDir())
		if code, _, said := invoke(t, args...); code != program.ExitUsage || said == "" {
			t.Errorf("%q: exit code %d, said %q", args, code, said)
		}
		if left, _ := filepath.Glob(".cluster/*"); len(left) > 0 {
			t.Errorf("%q left %v behind", args, left)
		}
	}
}
