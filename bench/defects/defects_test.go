package main

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// Every defect still applies to the sources, and what comes of it is a replica.
func TestDefectsApply(t *testing.T) {
	root, dir := filepath.Join("..", ".."), t.TempDir()
	names := make(map[string]bool)
	for _, d := range defects {
		overlay, err := d.overlay(root, dir)
		if err != nil {
			t.Errorf("%s: %v", d.name, err)
			continue
		}
		if names[d.name] || d.what == "" {
			t.Errorf("%s: twice, or without a word", d.name)
		}
		names[d.name] = true
		vet := exec.Command("go", "build", "-overlay", overlay, "./replica/machine")
		vet.Dir = root
		if out, err := vet.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", d.name, err, out)
		}
	}
}

// A hunt for nothing is refused, instead of finding all of it.
func TestNothingToLookFor(t *testing.T) {
	for _, tt := range []struct {
		c  cli
		ok bool
	}{
		{cli{Repeat: 1}, true}, {cli{Repeat: 1, Only: "cas"}, true}, {cli{Repeat: 1, Only: "nosuch"}, false}, {cli{}, false},
	} {
		if err := tt.c.Validate(); (err == nil) != tt.ok {
			t.Errorf("%+v: %v", tt.c, err)
		}
	}
}
