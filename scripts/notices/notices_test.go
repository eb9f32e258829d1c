// Package notices keeps THIRD_PARTY_NOTICES.md: what of other people's work is in the programs, and under which terms.
package notices

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/licensecheck"
)

var update = flag.Bool("update", false, "write THIRD_PARTY_NOTICES.md anew")

const (
	root = "../.."
	file = root + "/THIRD_PARTY_NOTICES.md"
)

// work is something of other people's that is in the programs.
type work struct {
	name, version string
	dir           string // where it is on this machine
	terms         string // the names of its licences
	texts         []text
}

// text is one file of terms.
type text struct{ file, body string }

// termsFiles matches the files that have to travel with what they are about.
var termsFiles = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents|third_party_licenses)`)

// chosen are the files of works that let the user choose between licences.
var chosen = map[string][]string{"github.com/golang/freetype": {"LICENSE", "licenses/ftl.txt"}}

// others are the works that are no modules.
func others(t *testing.T) []work {
	t.Helper()
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return []work{
		{name: "Go, its runtime and standard library", dir: strings.TrimSpace(string(goroot))},
		{name: "uPlot, in every report.html", version: "1.6.32", dir: root + "/bench/report/uplot"},
	}
}

// linked returns the modules of which something is in the programs.
func linked(t *testing.T) (works []work) {
	t.Helper()
	list := exec.Command("go", "list", "-deps", "-json=Module", "./cmd/replica", "./cmd/loadgen", "./cmd/bench")
	list.Dir, list.Stderr = root, os.Stderr
	list.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			Module *struct {
				Path, Version, Dir string
				Main               bool
			}
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if m := p.Module; m != nil && !m.Main {
			works = append(works, work{name: m.Path, version: m.Version, dir: m.Dir})
		}
	}
	slices.SortFunc(works, func(a, b work) int { return strings.Compare(a.name, b.name) })
	return slices.CompactFunc(works, func(a, b work) bool { return a.name == b.name })
}

// read fills in the terms of a work.
func (w *work) read() error {
	names := chosen[w.name]
	if names == nil {
		entries, err := os.ReadDir(w.dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if termsFiles.MatchString(e.Name()) && !strings.HasSuffix(e.Name(), ".sh") {
				names = append(names, e.Name())
			}
		}
	}
	var terms []string
	for _, name := range names {
		texts, err := textsOf(filepath.Join(w.dir, name), name)
		if err != nil {
			return err
		}
		for _, t := range texts {
			w.texts = append(w.texts, t)
			for _, m := range licensecheck.Scan([]byte(t.body)).Match {
				if !m.IsURL && !slices.Contains(terms, m.ID) {
					terms = append(terms, m.ID)
				}
			}
		}
	}
	w.terms = strings.Join(terms, ", ")
	if w.terms == "" {
		return fmt.Errorf("%s in %s: no terms that are known: look, and add them to chosen", w.name, w.dir)
	}
	return nil
}

// textsOf reads a file of terms, or a directory of them.
func textsOf(path, name string) (texts []text, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		body, err := os.ReadFile(path)
		return []text{{name, strings.TrimSpace(strings.ReplaceAll(string(body), "\r\n", "\n"))}}, err
	}
	entries, err := os.ReadDir(path)
	for _, e := range entries {
		within, err := textsOf(filepath.Join(path, e.Name()), name+"/"+e.Name())
		if err != nil {
			return nil, err
		}
		texts = append(texts, within...)
	}
	return texts, err
}

// notices renders the file. A text that several works share stands there once.
func notices(works []work) string {
	var out strings.Builder
	fmt.Fprintln(&out, "# Third-party notices")
	fmt.Fprintf(&out, "\nThe programs of this project, built for Linux, contain work of others. `go test ./scripts/notices -update` writes this file;\nthe same test fails if it is not that of the programs.\nThe servers of other systems in `bench/peers`, a module of its own, are built by those who compare and are in none of these programs: what they\ncontain is listed in `bench/peers/go.mod`, and each module comes with its terms.\n\n")
	fmt.Fprintln(&out, "| what | version | terms | texts |\n|---|---|---|---|")
	numbers, order := map[string]int{}, []string(nil)
	for _, w := range works {
		var refs []string
		for _, t := range w.texts {
			if numbers[t.body] == 0 {
				order = append(order, t.body)
				numbers[t.body] = len(order)
			}
			refs = append(refs, fmt.Sprintf("[%d](#text-%d) %s", numbers[t.body], numbers[t.body], t.file))
		}
		fmt.Fprintf(&out, "| %s | %s | %s | %s |\n", w.name, w.version, w.terms, strings.Join(refs, ", "))
	}
	fmt.Fprintln(&out, "\nOf freetype, which may be had under the FreeType License or the GPL, the first is chosen.")
	for i, body := range order {
		fmt.Fprintf(&out, "\n## Text %d\n\n~~~text\n%s\n~~~\n", i+1, body)
	}
	return out.String()
}

// TestNotices fails if something is linked into the programs that the file does not name with its terms, or the other way
// round.
func TestNotices(t *testing.T) {
	works := append(linked(t), others(t)...)
	for i := range works {
		if err := works[i].read(); err != nil {
			t.Error(err)
		}
	}
	want := notices(works)
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := os.ReadFile(file); err != nil || string(kept) != want {
		t.Errorf("%s is not that of the programs (%v): go test ./scripts/notices -update, and look at what is new", filepath.Base(file), err)
	}
	for name, terms := range map[string]string{"github.com/ajstarks/svgo": "CC-BY-4.0", "github.com/golang/freetype": "FTL", "github.com/panjf2000/gnet/v2": "Apache-2.0"} {
		if i := slices.IndexFunc(works, func(w work) bool { return w.name == name }); i < 0 || !strings.Contains(works[i].terms, terms) {
			t.Errorf("%s is not listed with %s", name, terms)
		}
	}
}

// What has no terms is not taken for free.
func TestWorkWithoutTerms(t *testing.T) {
	w := work{name: "x", dir: t.TempDir()}
	if err := w.read(); err == nil {
		t.Error("a work without any terms is listed")
	}
	if err := os.WriteFile(filepath.Join(w.dir, "LICENSE"), []byte("Ask me."), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := w.read(); err == nil {
		t.Errorf("unknown terms are listed as %q", w.terms)
	}
}
