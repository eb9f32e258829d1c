// Package doccheck keeps the commands that the documents show working: it runs them in a copy of the tree, page by page
// and in their order, as a reader would who types them.
package doccheck

import (
	"bytes"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mvdan.cc/sh/v3/syntax"
)

// workshop is a copy of the tree in which commands are run.
type workshop struct {
	dir string
	env []string
}

// newWorkshop copies the tree: what the commands leave must not take the place of what whoever runs the tests has.
func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	w := &workshop{dir: filepath.Join(t.TempDir(), "a copy")} // a path that scripts must quote
	if err := filepath.WalkDir(root, w.copy); err != nil {
		t.Fatal(err)
	}
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "PAXOSBENCH_") { // a cluster that whoever runs the tests works with is none of theirs
			w.env = append(w.env, setting)
		}
	}
	// Without the paths of this copy the next one finds in the cache what was compiled for it.
	w.env = append(w.env, "GOFLAGS=-trimpath", fmt.Sprint("PAXOSBENCH_PORT_BASE=", reservePorts(t)))
	t.Cleanup(func() {
		if _, err := os.Stat(filepath.Join(w.dir, "bin", "bench")); err == nil {
			_, _ = w.run("scripts/cluster.sh down") // if one is up
		}
	})
	return w
}

// made matches what is made in a tree rather than part of it.
var made = regexp.MustCompile(`^(\.git|bin|\.cluster|results/[^2/][^/]*)$`)

// copy copies one file or directory of the tree. It is an fs.WalkDirFunc.
func (w *workshop) copy(path string, entry fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	name, err := filepath.Rel(root, path)
	if err != nil {
		return err
	}
	to := filepath.Join(w.dir, name)
	switch {
	case entry.IsDir() && made.MatchString(filepath.ToSlash(name)):
		return fs.SkipDir
	case entry.IsDir():
		return os.MkdirAll(to, 0o755)
	case !entry.Type().IsRegular():
		return nil
	}
	info, err := entry.Info()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, info.Mode().Perm())
}

// reservePorts returns the base of the ports of a cluster that this machine has room for until the test ends. A UDP socket
// stands for the reservation. The range is one that no other test uses.
func reservePorts(t *testing.T) int {
	t.Helper()
	for base := 20_000; base < 23_000; base += 300 {
		if sign, err := net.ListenPacket("udp", fmt.Sprint("127.0.0.1:", base)); err == nil {
			t.Cleanup(func() { _ = sign.Close() })
			return base
		}
	}
	t.Fatal("no ports are free")
	return 0
}

// run runs a script in the copy, and returns what it has said, and whether it succeeded.
func (w *workshop) run(script string) (said string, err error) {
	output, err := os.Create(filepath.Join(w.dir, ".output")) // a file: children that live on hold no pipe open
	if err != nil {
		return "", err
	}
	defer output.Close()
	command := exec.Command("bash", "-c", script)
	command.Dir, command.Env, command.Stdout, command.Stderr = w.dir, w.env, output, output
	err = command.Run()
	text, readErr := os.ReadFile(output.Name())
	if readErr != nil {
		return "", readErr
	}
	return string(text), err
}

// measures matches what may end with a missed objective (5) or an invalid run (6): that depends on the machine, and is
// what the pages show some of them for.
var measures = regexp.MustCompile(`(bin/loadgen (run|ramp|search|merge)|scripts/quickstart\.sh)`)

// program renders statements as a script that ends at the first one that fails.
func program(statements []string) string {
	var script strings.Builder
	script.WriteString("set -o pipefail\n")
	for _, s := range statements {
		good := "0"
		if measures.MatchString(s) {
			good = "0|5|6"
		}
		fmt.Fprintf(&script, "cat <<'SHOWN'\n+ %s\nSHOWN\n%s\nended=$?; case $ended in %s) ;; *) echo \"exit code $ended\"; exit 1 ;; esac\n", s, s, good)
	}
	return script.String()
}

// print renders a statement on as few lines as it has.
func print(t *testing.T, node syntax.Node) string {
	t.Helper()
	var text bytes.Buffer
	if err := syntax.NewPrinter(syntax.SingleLine(true)).Print(&text, node); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(text.String())
}

// TestDocuments builds the programs in one copy of the tree and tries there what the documents show.
func TestDocuments(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs everything")
	}
	w := newWorkshop(t)
	if said, err := w.run("set -e\n" + strings.Join(prepared, "\n")); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	t.Run("flags exist", w.flagsExist)
	t.Run("examples of the help", w.helpExamples)
	t.Run("files are read", w.filesAreRead)
	t.Run("programs are static", w.programsAreStatic)
	t.Run("what is refused costs nothing", w.refusalsCostNothing)
	t.Run("commands work", w.commandsWork)
}

// commandsWork runs every command of every page, in their order: what one leaves, the next may use. What takes long is
// shortened, and what cannot run here is listed with the reason.
func (w *workshop) commandsWork(t *testing.T) {
	s := newShortener()
	for _, page := range pages(t) {
		blocks, _ := readPage(t, page)
		for _, b := range blocks {
			if elsewhere[page] != "" || b.script() {
				continue
			}
			statements := s.shorten(t, b)
			if len(statements) == 0 {
				continue
			}
			start := time.Now()
			said, err := w.run(program(statements))
			if err != nil {
				t.Fatalf("%v: %v\n%s", b, err, said)
			}
			t.Logf("%v: %.1f s", b, time.Since(start).Seconds())
		}
	}
	s.wantUsed(t)
}

// filesAreRead has every file in YAML that a page shows read by the program that it is for.
func (w *workshop) filesAreRead(t *testing.T) {
	for _, page := range pages(t) {
		blocks, _ := readPage(t, page)
		for _, b := range blocks {
			reader := readers[b.page]
			switch {
			case b.lang != "yaml" || reader.unread != "":
				continue
			case reader.command == "":
				t.Errorf("%v: no command reads this file: name one", b)
				continue
			}
			if err := os.WriteFile(filepath.Join(w.dir, "shown.yaml"), []byte(b.text), 0o644); err != nil {
				t.Fatal(err)
			}
			if said, err := w.run(reader.command + " shown.yaml"); err != nil {
				t.Errorf("%v: %v\n%s", b, err, said)
			}
		}
	}
}

// shortener applies the tables and knows what of them has been used.
type shortener struct{ used map[string]bool }

func newShortener() *shortener { return &shortener{map[string]bool{}} }

// shorten returns what is to be run of a block.
func (s *shortener) shorten(t *testing.T, b block) (run []string) {
	t.Helper()
	for _, statement := range b.statements(t) {
		text := print(t, statement)
		if notRun[text] != "" {
			s.used[text] = true
			continue
		}
		if missing(text) {
			t.Logf("there is no such program here: %s", text)
			continue
		}
		for _, rule := range shortenings {
			if rule.shown.MatchString(text) {
				s.used[rule.shown.String()] = true
				text = rule.shown.ReplaceAllString(text, rule.run)
			}
		}
		run = append(run, text)
	}
	return run
}

// missing tells whether a statement needs a program that not every machine has, and this one has not.
func missing(statement string) bool {
	name, _, _ := strings.Cut(statement, " ")
	_, err := exec.LookPath(name)
	return slices.Contains(optional, name) && err != nil
}

// wantUsed fails for what stands in the tables and in no page.
func (s *shortener) wantUsed(t *testing.T) {
	t.Helper()
	for text := range notRun {
		if !s.used[text] {
			t.Errorf("%q is listed as not run, and no page shows it", text)
		}
	}
	for _, rule := range shortenings {
		if !s.used[rule.shown.String()] {
			t.Errorf("nothing that a page shows is shortened by %q", rule.shown)
		}
	}
}

// A command that fails ends its script, one that measures may find that the machine is too slow, and no other may.
func TestFailuresAreNoticed(t *testing.T) {
	w := &workshop{dir: t.TempDir(), env: os.Environ()}
	for _, tt := range []struct {
		statements []string
		fails      bool
	}{
		{[]string{"true", "false | true; true"}, false},
		{[]string{"false", "true"}, true},
		{[]string{"false | true"}, true},
		{[]string{"(exit 6)"}, true},
		{[]string{": bin/loadgen run; (exit 6)"}, false},
		{[]string{": bin/loadgen run; (exit 7)"}, true},
		{[]string{": bin/loadgen report; (exit 5)"}, true},
		{[]string{"a=5", "test $a = 5"}, false},
	} {
		if said, err := w.run(program(tt.statements)); (err != nil) != tt.fails {
			t.Errorf("%q: %v, %s", tt.statements, err, said)
		}
	}
}
