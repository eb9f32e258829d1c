package client_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"paxosbench/wire/client/clienttest"
)

// fence is a block of code in documentation that has a file's name.
var fence = regexp.MustCompile("(?s)```go visits/main.go\n(.*?)```")

// TestDocumentedProgram builds what docs/client.md shows, in a module of its own that finds this one by a replace and nothing on a network,
// and has it say what the page says.
func TestDocumentedProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a module of its own")
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	for _, name := range []string{"docs/client.md", "go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	program := fence.FindStringSubmatch(files["docs/client.md"])
	if program == nil {
		t.Fatal("the page has no program")
	}
	mod := strings.Replace(files["go.mod"], "module paxosbench", "module example.com/visits", 1) + "\nrequire paxosbench v0.0.0\nreplace paxosbench => " + root + "\n"
	dir := t.TempDir()
	for name, text := range map[string]string{"main.go": program[1], "go.mod": mod, "go.sum": files["go.sum"]} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-mod=mod", "-o", "visits", ".")
	build.Dir, build.Env = dir, append(os.Environ(), "GOPROXY=off", "GOFLAGS=", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	server := listen(t, clienttest.Config{})
	out, err := exec.CommandContext(t.Context(), filepath.Join(dir, "visits"), server.Addr()).CombinedOutput()
	if said := string(out); err != nil || said == "" || !strings.Contains(files["docs/client.md"], "\n"+said) {
		t.Errorf("%v: the program says %q, which the page does not", err, said)
	}
}
