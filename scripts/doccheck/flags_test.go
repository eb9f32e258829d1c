package doccheck

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"
)

// ours matches what a command of the project begins with.
var ours = regexp.MustCompile(`^(\./)?(bin/(loadgen|bench|replica)|scripts/[a-z]+\.sh)$`)

// flag matches a flag and finds its name.
var flag = regexp.MustCompile(`^(--[a-z][a-z0-9-]*)(=|$)`)

// manual answers which flags a command has, from its own help.
type manual struct {
	w     *workshop
	known map[string]string // help by command
}

// help returns the help of a program's command.
func (m *manual) help(t *testing.T, command string) string {
	t.Helper()
	if text, ok := m.known[command]; ok {
		return text
	}
	text, err := m.w.run(command + " --help")
	if err != nil {
		t.Fatalf("%s --help: %v\n%s", command, err, text)
	}
	m.known[command] = text
	return text
}

// unknownFlags returns the flags in words that the command does not have. What follows -- are flags of a replica.
func (m *manual) unknownFlags(t *testing.T, words []string) (unknown []string) {
	t.Helper()
	for i, word := range words {
		if word == "--" {
			return append(unknown, m.unknownFlags(t, append([]string{"bin/replica"}, words[i+1:]...))...)
		}
		if found := flag.FindStringSubmatch(word); found != nil && !m.has(t, commandOf(words), found[1]) {
			unknown = append(unknown, found[1])
		}
	}
	return unknown
}

// has tells whether the help of a command lists a flag.
func (m *manual) has(t *testing.T, command, name string) bool {
	t.Helper()
	return name == "--help" || regexp.MustCompile(`(^|[^a-z-])`+name+`($|[^a-z0-9-])`).MatchString(m.help(t, command))
}

// nested are the programs that have commands, which have flags of their own.
var nested = []string{"bin/loadgen", "bin/bench", "scripts/cluster.sh"}

// commandOf is the program and the names of its command.
func commandOf(words []string) string {
	if !slices.Contains(nested, words[0]) {
		return words[0]
	}
	for i, word := range words[1:] {
		if !regexp.MustCompile(`^[a-z]+$`).MatchString(word) || i == 2 {
			return strings.Join(words[:i+1], " ")
		}
	}
	return strings.Join(words, " ")
}

// calls returns the words of every command of ours in a block, however deep it stands; what is computed is an empty word.
func calls(t *testing.T, b block) (found [][]string) {
	t.Helper()
	for _, statement := range b.statements(t) {
		syntax.Walk(statement, func(node syntax.Node) bool {
			if call, ok := node.(*syntax.CallExpr); ok && len(call.Args) > 0 && ours.MatchString(call.Args[0].Lit()) {
				var words []string
				for _, word := range call.Args {
					words = append(words, word.Lit())
				}
				found = append(found, words)
			}
			return true
		})
	}
	return found
}

// quoted finds the commands that stand in a sentence.
var quoted = regexp.MustCompile("`((?:bin|scripts|loadgen|bench|replica)[^`]*)`")

// mentioned returns the words of every command of ours in prose. What stands for any of several words names none.
func mentioned(prose string) (found [][]string) {
	for _, match := range quoted.FindAllStringSubmatch(prose, -1) {
		words := strings.Fields(match[1])
		if slices.Contains([]string{"loadgen", "bench", "replica"}, words[0]) {
			words[0] = "bin/" + words[0]
		}
		words = slices.DeleteFunc(words, func(w string) bool { return regexp.MustCompile(`^[A-Z]+$`).MatchString(w) })
		if ours.MatchString(words[0]) && !strings.ContainsAny(match[1], `'"`) { // what is quoted again belongs to another program
			found = append(found, words)
		}
	}
	return found
}

// shownCommand matches the commands of which help has examples.
var shownCommand = regexp.MustCompile(`(?m)^ +((?:bin/|scripts/)?(?:loadgen|bench|replica|[a-z]+\.sh) .*)$`)

// helpers are the commands whose help has examples.
var helpers = []string{
	"bin/loadgen run", "bin/loadgen ramp", "bin/loadgen search", "bin/loadgen merge", "bin/loadgen report", "bin/bench run", "bin/bench cluster",
	"scripts/compare.sh",
}

// helpExamples looks up every flag in the examples of the programs' own help.
func (w *workshop) helpExamples(t *testing.T) {
	m := &manual{w, map[string]string{}}
	for _, command := range helpers {
		_, examples, _ := strings.Cut(m.help(t, command), "Example")
		found := shownCommand.FindAllStringSubmatch(examples, -1)
		if len(found) == 0 {
			t.Errorf("%s --help has no examples any more", command)
		}
		for _, example := range found {
			b := block{page: command, lang: "sh", text: example[1]}
			for _, name := range []string{"loadgen", "bench", "replica"} {
				b.text = regexp.MustCompile(`(^|[&|(] *)`+name+` `).ReplaceAllString(b.text, "${1}bin/"+name+" ")
			}
			called := calls(t, b)
			if len(called) == 0 {
				t.Errorf("%s --help: no command in %q", command, example[1])
			}
			for _, words := range called {
				for _, name := range m.unknownFlags(t, words) {
					t.Errorf("%s --help: %s has no flag %s", command, commandOf(words), name)
				}
			}
		}
	}
}

// flagsExist looks up every flag that a page gives to a command, also of those that cannot be run here.
func (w *workshop) flagsExist(t *testing.T) {
	m := &manual{w, map[string]string{}}
	looked := 0
	for _, page := range pages(t) {
		blocks, prose := readPage(t, page)
		commands := mentioned(prose)
		for _, b := range blocks {
			commands = append(commands, calls(t, b)...)
		}
		for _, words := range commands {
			looked++
			if _, err := os.Stat(filepath.Join(w.dir, words[0])); err != nil {
				t.Errorf("%s: %v", page, err)
				continue
			}
			for _, name := range m.unknownFlags(t, words) {
				t.Errorf("%s: %s has no flag %s", page, commandOf(words), name)
			}
		}
	}
	if looked < 50 {
		t.Errorf("only %d commands were found", looked)
	}
	if unknown := m.unknownFlags(t, strings.Fields("scripts/cluster.sh up --replica 1 --replicas=3 -- --pipelines 1 --pipeline 2")); !slices.Equal(unknown, []string{"--replica", "--pipelines"}) {
		t.Errorf("flags that there are not: %q", unknown)
	}
}

// The program that a page gives as an example for --cluster-script does what it says, as far as that shows without hosts:
// its ssh is one that prints what it is asked for.
func TestClusterScriptOfTheDocuments(t *testing.T) {
	w := &workshop{dir: t.TempDir(), env: append(os.Environ(), "PATH=.:"+os.Getenv("PATH"))}
	blocks, _ := readPage(t, "docs/hosts.md")
	i := slices.IndexFunc(blocks, block.script)
	if i < 0 {
		t.Fatal("there is no script")
	}
	for name, text := range map[string]string{"act": blocks[i].text, "ssh": "#!/bin/sh\necho \"$@\"\n", "jq": "#!/bin/sh\ncat\n"} {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for action, want := range map[string]string{
		"kill 2":  "host2 systemctl kill --signal=KILL paxosbench\n",
		"stop 3":  "host3 systemctl kill --signal=STOP paxosbench\n",
		"cont 3":  "host3 systemctl kill --signal=CONT paxosbench\n",
		"start 1": "host1 systemctl start paxosbench\n",
		"leader":  "host1 curl -s 127.0.0.1:7201/status\n",
	} {
		if said, err := w.run("./act " + action); err != nil || said != want {
			t.Errorf("%s: %v, %q, want %q", action, err, said, want)
		}
	}
	if said, err := w.run("./act mute 1"); err == nil {
		t.Errorf("mute: %q, and no error", said)
	}
}
