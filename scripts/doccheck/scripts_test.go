package doccheck

import (
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// refusalsCostNothing wants a script that refuses what it is asked for not to have touched what there was, neither results of its
// own nor what merely has their name.
func (w *workshop) refusalsCostNothing(t *testing.T) {
	kept := []string{"results/quickstart/result.json", "results/profile/mine/notes.txt", "results/smoke/scratch/notes.txt"}
	for _, name := range kept {
		path := filepath.Join(w.dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("mine"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range []string{
		"scripts/quickstart.sh --duration soon",
		"scripts/quickstart.sh --length 5s",
		"scripts/profile.sh --label mine",
		"scripts/profile.sh --label mine --kind nonsense",
		"scripts/profile.sh --label ../profile/mine",
		"scripts/profile.sh --label new --load '--rate soon'",
		"scripts/reproduce.sh smoke nonsense",
		"bin/bench run smoke --only batch=nonsense",
		"scripts/compare.sh --commits HEAD",
	} {
		said, err := w.run(command)
		if failed := (*exec.ExitError)(nil); !errors.As(err, &failed) || failed.ExitCode() != 2 || strings.TrimSpace(said) == "" {
			t.Errorf("%s: %v, want exit code 2 and a reason:\n%s", command, err, said)
		}
		for _, name := range kept {
			if text, err := os.ReadFile(filepath.Join(w.dir, name)); err != nil || string(text) != "mine" {
				t.Fatalf("%s has cost %s: %v", command, name, err)
			}
		}
	}
	if left, err := filepath.Glob(filepath.Join(w.dir, "results/profile/*")); err != nil || len(left) != 1 {
		t.Errorf("left behind: %q, %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(w.dir, ".cluster")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("data of a cluster is left behind (%v)", err)
	}
}

// programsAreStatic wants programs that start in any root: none asks for a loader.
func (w *workshop) programsAreStatic(t *testing.T) {
	programs, err := filepath.Glob(filepath.Join(w.dir, "bin", "[a-z]*"))
	if err != nil || len(programs) < 3 {
		t.Fatalf("programs: %q, %v", programs, err)
	}
	for _, path := range programs {
		program, err := elf.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(program.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
			t.Errorf("%s is linked dynamically", filepath.Base(path))
		}
		program.Close()
	}
}
