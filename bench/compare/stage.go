package compare

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"paxosbench/bench"
	"paxosbench/bench/suite"
)

// Stage is where the runs of a comparison are made on this host.
type Stage struct {
	local    *bench.Local
	scratch  string
	replicas map[string]string // programs by side
}

// NewStage makes one whose files are below a directory. replicaA and replicaB are the programs of the replicas; what is not
// said is as that of the other side or, in the end, of local.
func NewStage(local *bench.Local, scratch, replicaA, replicaB string) (*Stage, error) {
	b := cmp.Or(replicaB, local.Replica())
	s := &Stage{local: local, scratch: scratch, replicas: map[string]string{"A": cmp.Or(replicaA, b), "B": b}}
	for side, program := range s.replicas {
		found, err := exec.LookPath(program)
		if err == nil {
			s.replicas[side], err = filepath.Abs(found)
		}
		if err != nil {
			return nil, fmt.Errorf("the replicas of %s: %w", side, err)
		}
	}
	return s, nil
}

// launcher is a script that becomes a program: first it says that it will be this process, then it goes to the processor
// that is said, if one is. (A program of several threads could not do it: while it becomes another one, it looks ended.)
const launcher = `#!/bin/sh
side=%[1]s
[ -e "$side/%[2]s" ] || exec %[4]s "$@"
echo $$ >>"$side/%[3]s"
exec taskset -c "$(cat "$side/%[2]s")" %[4]s "$@"
`

// Host implements Hosts. Each side has files of its own: both may be there at the same time.
func (s *Stage) Host(side string) (bench.Executor, error) {
	local := *s.local
	local.Bin = s.programs(side)
	local.Scratch, local.Logs = filepath.Join(s.scratch, "scratch-"+side), filepath.Join(s.scratch, "logs-"+side)
	if err := os.MkdirAll(local.Bin, 0o755); err != nil {
		return nil, err
	}
	for name, program := range map[string]string{"replica": s.replicas[side], "loadgen": filepath.Join(s.local.Bin, "loadgen")} {
		quoted := func(text string) string { return suite.ShellLine([]string{text}) }
		text := fmt.Appendf(nil, launcher, quoted(local.Bin), processorFile, pidsFile, quoted(program))
		if err := os.WriteFile(filepath.Join(local.Bin, name), text, 0o755); err != nil {
			return nil, err
		}
	}
	return &local, nil
}

func (s *Stage) programs(side string) string { return filepath.Join(s.scratch, "programs-"+side) }

// Names of the files in a directory of programs that say which processor they are kept to, and which processes they became.
const (
	processorFile = "processor"
	pidsFile      = "pids"
)

// Move implements Hosts.
func (s *Stage) Move(side string, processor int) error {
	dir := s.programs(side)
	path := filepath.Join(dir, processorFile)
	err := os.WriteFile(path+".new", fmt.Append(nil, processor), 0o644)
	if err = errors.Join(err, os.Rename(path+".new", path)); err != nil { // a program that begins just now finds one or the other
		return err
	}
	pids, err := os.ReadFile(filepath.Join(dir, pidsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for pid := range strings.FieldsSeq(string(pids)) {
		if err := keep(pid, processor); err != nil {
			return err
		}
	}
	return nil
}
