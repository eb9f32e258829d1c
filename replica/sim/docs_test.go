package sim

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every test that the pages name exists, in the package that they name.
func TestPagesNameTests(t *testing.T) {
	const root = "../.."
	tests := map[string]string{} // by package: the text of its tests
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		tests[filepath.Base(filepath.Dir(path))] += string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for page, least := range map[string]int{"safety.md": 40, "protocol.md": 60} {
		text, err := os.ReadFile(filepath.Join(root, "docs", page))
		if err != nil {
			t.Fatal(err)
		}
		named := regexp.MustCompile("`([a-z0-9]+)\\.((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(string(text), -1)
		if len(named) < least {
			t.Errorf("docs/%s names %d tests, want %d or more", page, len(named), least)
		}
		for _, name := range named {
			if !strings.Contains(tests[name[1]], "func "+name[2]+"(") {
				t.Errorf("docs/%s names %s.%s, which does not exist", page, name[1], name[2])
			}
		}
	}
}

// Every rule has its line in docs/protocol.md, with a test that holds it.
func TestProtocolPageHasEveryRule(t *testing.T) {
	text, err := os.ReadFile("../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	const rules = 33
	for n := 1; n <= rules; n++ {
		row := regexp.MustCompile(fmt.Sprintf(`(?m)^\| %d \|.*`, n)).FindString(string(text))
		if !strings.Contains(row, ".Test") {
			t.Errorf("rule %d: no line in docs/protocol.md that names a test: %q", n, row)
		}
	}
}
