package compare

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"paxosbench/bench"
	"paxosbench/bench/cluster"
	"paxosbench/bench/suite"
)

// Stage is where the runs of a comparison are made on this host.
type Stage struct {
	local    *bench.Local
	scratch  string
	replicas map[string]string // programs by side
	casts    map[string]*cast  // by side
}

// NewStage makes one whose files are below a directory. replicaA and replicaB are the programs of the replicas; what is not
// said is as that of the other side or, in the end, of local.
func NewStage(local *bench.Local, scratch, replicaA, replicaB string) (*Stage, error) {
	b := cmp.Or(replicaB, local.Replica())
	s := &Stage{local: local, scratch: scratch, replicas: map[string]string{"A": cmp.Or(replicaA, b), "B": b},
		casts: map[string]*cast{"A": {}, "B": {}}}
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
// that is said, if one is. (A program of several threads could not do it: while it becomes another one, it looks ended.) There
// nobody is preempted because somebody else wakes (SCHED_BATCH): in which order the processes of a side take turns, and how much
// each finds to do at once, would be chance else, and worth more than what is to be found.
const launcher = `#!/bin/sh
side=%[1]s
[ -e "$side/%[2]s" ] || exec %[4]s "$@"
echo $$ >>"$side/%[3]s"
exec taskset -c "$(cat "$side/%[2]s")" chrt --batch 0 %[4]s "$@"
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

// Seat implements Hosts. No process runs while they are moved: replicas that have not all been moved would fall behind one
// another, and what they are busy with afterwards would not be what is measured.
func (s *Stage) Seat(a, b int) error {
	var err error
	for side, processor := range map[string]int{"A": a, "B": b} {
		path := filepath.Join(s.programs(side), processorFile)
		err = errors.Join(err, os.WriteFile(path+".new", fmt.Append(nil, processor), 0o644))
		err = errors.Join(err, os.Rename(path+".new", path)) // a program that begins just now finds one or the other
		err = errors.Join(err, s.casts[side].meet(filepath.Join(s.programs(side), pidsFile)))
	}
	if err != nil {
		return err
	}
	resume, err := cluster.Halt(slices.Concat(s.casts["A"].there, s.casts["B"].there))
	return errors.Join(err, s.casts["A"].keep(a), s.casts["B"].keep(b), resume())
}
