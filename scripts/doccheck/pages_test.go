package doccheck

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"
)

// root is the top of the tree, seen from here.
const root = "../.."

// pages are the documents whose commands are run, in the order in which a reader comes to them.
func pages(t *testing.T) (paths []string) {
	t.Helper()
	for _, pattern := range []string{"README.md", "docs/*.md", "bench/suites/README.md", "results/README.md", "CONTRIBUTING.md", "SECURITY.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("no page %s (%v)", pattern, err)
		}
		for _, path := range found {
			path, err = filepath.Rel(root, path)
			if err != nil {
				t.Fatal(err)
			}
			paths = append(paths, path)
		}
	}
	return paths
}

// noPages are documents that show nothing to type.
var noPages = map[string]string{
	"CHANGELOG.md":           "says what was, too",
	"THIRD_PARTY_NOTICES.md": "texts of other people",
}

// Every document of the tree is looked at, or is known to have nothing to look at.
func TestEveryDocumentIsAPage(t *testing.T) {
	known := pages(t)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		switch {
		case err != nil:
			return err
		case entry.IsDir() && made.MatchString(filepath.ToSlash(name)):
			return fs.SkipDir
		case filepath.Ext(name) == ".md" && !slices.Contains(known, name) && noPages[name] == "":
			t.Errorf("%s is no page whose commands are run: add it", name)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// block is what stands between two fences of a page.
type block struct {
	page string
	line int    // of the fence, from 1 on
	lang string // what the fence says
	text string
}

func (b block) String() string { return fmt.Sprintf("%s:%d", b.page, b.line) }

// script tells whether a block is the whole of a file that somebody runs.
func (b block) script() bool { return strings.HasPrefix(b.text, "#!") }

// prompt is what stands before a command in a block that shows output, too.
var prompt = regexp.MustCompile(`^(host\d)?\$ `)

// shell is the commands of a block: what a reader would type.
func (b block) shell() string {
	if b.lang == "sh" {
		return b.text
	}
	if b.lang != "console" {
		return ""
	}
	var typed strings.Builder
	goesOn := false
	for line := range strings.Lines(b.text) {
		if mark := prompt.FindString(line); mark != "" || goesOn {
			typed.WriteString(line[len(mark):])
			goesOn = strings.HasSuffix(line, "\\\n")
		}
	}
	return typed.String()
}

// statements are the commands of a block, one by one.
func (b block) statements(t *testing.T) []*syntax.Stmt {
	t.Helper()
	file, err := syntax.NewParser().Parse(strings.NewReader(b.shell()), b.String())
	if err != nil {
		t.Fatal(err)
	}
	return file.Stmts
}

// readPage returns the blocks of a page, and the page without them.
func readPage(t *testing.T, page string) (blocks []block, prose string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	return split(page, string(text))
}

func split(page, text string) (blocks []block, prose string) {
	var within *block
	var outside strings.Builder
	number := 0
	for line := range strings.Lines(text) {
		number++
		lang, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && within == nil:
			lang, _, _ = strings.Cut(lang, " ") // what follows names a file
			within = &block{page: page, line: number, lang: lang}
		case fence:
			blocks, within = append(blocks, *within), nil
		case within != nil:
			within.text += line
		default:
			outside.WriteString(line)
		}
	}
	return blocks, outside.String()
}

// languages are those that a fence may name: without a name nobody can tell a command from a drawing.
var languages = map[string]bool{"sh": true, "console": true, "text": true, "yaml": true, "hex": true, "go": true}

// looksTyped is how a command begins that stands where none is looked for.
var looksTyped = regexp.MustCompile(`(?m)^\s*(\$ |(\./)?(bin|scripts)/\S+( |$)|(go|git) (test|build|run|tool|vet|clone) )`)

func TestFencesNameTheirLanguage(t *testing.T) {
	for _, page := range pages(t) {
		blocks, _ := readPage(t, page)
		for _, b := range blocks {
			if !languages[b.lang] {
				t.Errorf("%v: fence of %q: say sh, console (commands behind $, and output), text, yaml, hex or go", b, b.lang)
			}
			if b.shell() == "" && looksTyped.MatchString(b.text) {
				t.Errorf("%v: there is a command in a block of %s, where it is not run: %q", b, b.lang, looksTyped.FindString(b.text))
			}
			if b.lang == "console" && b.shell() == "" {
				t.Errorf("%v: no command in a console", b)
			}
		}
	}
}

// Of a page with every kind of block the commands are found, and nothing else.
func TestCommandsAreFound(t *testing.T) {
	blocks, prose := split("x.md", strings.Join([]string{
		"before `a`", "```sh", "one # why", "two; three", "```", "between",
		"```console", "$ four \\", "    five", "output $ no", "host2$ six", "..", "```", "```text of a kind", "$ not", "```", "behind",
	}, "\n")+"\n")
	var typed []string
	for _, b := range blocks {
		typed = append(typed, b.shell())
	}
	if got, want := strings.Join(typed, "|"), "one # why\ntwo; three\n|four \\\n    five\nsix\n|"; got != want {
		t.Errorf("commands %q, want %q", got, want)
	}
	if prose != "before `a`\nbetween\nbehind\n" {
		t.Errorf("prose %q", prose)
	}
	if n := len(blocks[0].statements(t)); n != 3 {
		t.Errorf("%d statements, want 3", n)
	}
	if !looksTyped.MatchString(blocks[2].text) {
		t.Error("a command in a block of text is not noticed")
	}
}
