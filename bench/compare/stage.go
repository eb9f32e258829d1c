package compare

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

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

// Host implements Hosts. Each side has files of its own: both may be there at the same time. Its programs are scripts that
// begin as bench pinned, for Move.
func (s *Stage) Host(side string) (bench.Executor, error) {
	local := *s.local
	local.Bin = s.programs(side)
	local.Scratch, local.Logs = filepath.Join(s.scratch, "scratch-"+side), filepath.Join(s.scratch, "logs-"+side)
	if err := os.MkdirAll(local.Bin, 0o755); err != nil {
		return nil, err
	}
	for name, program := range map[string]string{"replica": s.replicas[side], "loadgen": filepath.Join(s.local.Bin, "loadgen")} {
		line := suite.ShellLine([]string{s.local.Self, "pinned", local.Bin, program})
		if err := os.WriteFile(filepath.Join(local.Bin, name), []byte("#!/bin/sh\nexec "+line+" \"$@\"\n"), 0o755); err != nil {
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

// Exec becomes a program that is kept to the processor that a directory says, or to none. It returns only if that fails.
func Exec(dir string, command []string) error {
	text, err := os.ReadFile(filepath.Join(dir, processorFile))
	if errors.Is(err, fs.ErrNotExist) {
		return become(command)
	}
	if err != nil {
		return err
	}
	processor, err := strconv.Atoi(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", processorFile, err)
	}
	pids, err := os.OpenFile(filepath.Join(dir, pidsFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(pids, os.Getpid()); err != nil {
		return err
	}
	if err := errors.Join(pids.Close(), keep(strconv.Itoa(os.Getpid()), processor)); err != nil {
		return err
	}
	return become(command)
}

func become(command []string) error {
	return fmt.Errorf("%s: %w", command[0], syscall.Exec(command[0], command, os.Environ()))
}
