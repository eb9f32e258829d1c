package paxos

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"paxosbench/wire"
)

// The files of testdata are courses of the protocol: what is done to a cluster, and below it what comes of it. What has changed shows
// as a difference of text. To write them anew:
//
//	go test ./replica/paxos -run TestTranscripts -update
var update = flag.Bool("update", false, "write the outputs in testdata anew")

func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 7 {
		t.Fatalf("%d transcripts: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, string(text))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(text) {
				t.Errorf("%s: it goes otherwise now (the command to write it anew stands in transcripts_test.go):\n%s", file, difference(string(text), got))
			}
		})
	}
}

const rule = "----"

// replay carries out a transcript's commands and returns it with what came of them. It consists of paragraphs: of comments, or of
// commands, one to a line, with their output below a rule.
func replay(t *testing.T, text string) string {
	s := script{t: t}
	var out []string
	for _, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		commands, _, _ := strings.Cut(paragraph, "\n"+rule)
		for _, line := range strings.Split(commands, "\n") {
			if !strings.HasPrefix(line, "#") {
				s.run(line)
			}
		}
		if output := s.output(); output != "" {
			commands += "\n" + rule + "\n" + output
		}
		out = append(out, commands)
	}
	return strings.Join(out, "\n\n") + "\n"
}

// difference returns the first lines in which two texts differ.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d\n  was %s\n  now %s", i+1, w[i], g[i])
		}
	}
	return fmt.Sprintf("%d lines, now %d", len(w), len(g))
}

// script is a lab that obeys commands.
type script struct {
	t testing.TB
	*lab
}

func (s *script) output() string {
	if s.lab == nil {
		return ""
	}
	defer s.trace.Reset()
	return strings.TrimSuffix(s.trace.String(), "\n")
}

// run carries out one command: a name, numbers of replicas, and what else it needs.
func (s *script) run(line string) {
	words := strings.Fields(line)
	name, args := words[0], words[1:]
	if name == "cluster" {
		s.lab = newLab(s.t, int(s.id(args[0])), func(c *Config) { c.Leases = slices.Contains(args, "leases") })
		return
	}
	command := commands[name]
	if command == nil || s.lab == nil {
		s.t.Fatalf("%q: no such command, or no cluster before it", line)
	}
	command(s, args)
}

func (s *script) id(word string) wire.ReplicaID {
	n, err := strconv.Atoi(word)
	if err != nil {
		s.t.Fatalf("%q is not the number of a replica", word)
	}
	return wire.ReplicaID(n)
}

// commands are what may stand in a transcript.
var commands = map[string]func(s *script, args []string){
	"elect": func(s *script, args []string) { // quietly: others show how that goes
		s.elect(s.id(args[0]))
		s.trace.Reset()
	},
	"propose": func(s *script, args []string) { s.propose(s.id(args[0]), args[1:]...) },
	"tick":    func(s *script, args []string) { s.tick(s.id(args[0])) },
	"wait": func(s *script, args []string) {
		d, err := time.ParseDuration(args[0])
		if err != nil {
			s.t.Fatal(err)
		}
		s.wait(d)
	},
	"deliver": func(s *script, args []string) { s.deliver(link{s.id(args[0]), s.id(args[1])}) },
	"drop": func(s *script, args []string) {
		s.printf("%s lost", count(len(s.take(link{s.id(args[0]), s.id(args[1])})), "message"))
	},
	"sync":   func(s *script, args []string) { s.persist(s.id(args[0]), 0) },
	"settle": func(s *script, _ []string) { s.settle() },
	"cut": func(s *script, args []string) {
		a, b := s.id(args[0]), s.id(args[1])
		s.cut[link{a, b}], s.cut[link{b, a}] = true, true
	},
	"heal":  func(s *script, _ []string) { clear(s.cut) },
	"crash": func(s *script, args []string) { s.crash(s.id(args[0]), slices.Contains(args, "disk")) },
	"restart": func(s *script, args []string) {
		s.restart(s.id(args[0]))
	},
	"snapshot": func(s *script, args []string) {
		n := s.nodes[s.id(args[0])]
		n.takeSnapshot()
		n.core.cfg.LogBytes = 0
		n.core.Trim(n.applied())
		s.printf("%d has a snapshot of slots 1-%d, and its log begins at slot %d", n.id, n.snapshot, n.core.FirstSlot())
	},
	"read": func(s *script, args []string) {
		s.at(s.id(args[0]), func(n *node) {
			round, index := n.core.ReadRound()
			s.printf("%d is asked to read: as of slot %d, once round %d is confirmed", n.id, index, round)
		})
	},
	"confirmed": func(s *script, args []string) {
		n := s.nodes[s.id(args[0])]
		s.printf("%d has confirmed round %d and applied slot %d", n.id, n.core.Confirmed(), n.applied())
	},
	"lease": func(s *script, args []string) {
		n := s.nodes[s.id(args[0])]
		s.printf("%d holds a lease: %v", n.id, n.core.HoldsLease(s.now))
	},
	"state": func(s *script, args []string) {
		c := s.core(s.id(args[0]))
		s.printf("%s is a %v: leader %d, ballot %v, commit %d, votes: %v", args[0], c.Role(), c.Leader(), c.Ballot(), c.Commit(), c.Voting())
	},
}
