package compare

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

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

// Host returns what makes runs of a side on a processor, with files of its own: those of the other side may be there too.
func (s *Stage) Host(side string, processor int) (bench.Executor, error) {
	name := side
	if processor != Anywhere {
		name = fmt.Sprintf("%s%d", side, processor)
	}
	local := *s.local
	local.Bin = filepath.Join(s.scratch, "programs-"+name)
	local.Scratch, local.Logs = filepath.Join(s.scratch, "scratch-"+name), filepath.Join(s.scratch, "logs-"+name)
	programs := map[string]string{"replica": s.replicas[side], "loadgen": filepath.Join(s.local.Bin, "loadgen")}
	return &local, pin(local.Bin, []string{s.local.Self, "pinned"}, processor, programs)
}

// pin makes a directory of programs that are those given, by name, each kept to one processor, or Anywhere: scripts that
// have through, the command line of a program that calls Exec, set the affinity, which processes inherit, and then become the
// program.
func pin(dir string, through []string, processor int, programs map[string]string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, program := range programs {
		command := []string{program}
		if processor != Anywhere {
			command = append(slices.Clone(through), fmt.Sprint(processor), program)
		}
		line := suite.ShellLine(command)
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nexec "+line+" \"$@\"\n"), 0o755); err != nil {
			return err
		}
	}
	return nil
}
