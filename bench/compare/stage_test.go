package compare

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"paxosbench/bench"
)

// TestMoves wants the programs of a side kept to the processor that it was moved to, those that run and those to come, where nobody
// preempts another, and programs that nobody has moved to none.
func TestMoves(t *testing.T) {
	two, err := Processors()
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"replica", "loadgen"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nchrt --pid $$; cat /proc/self/status; read wait; cat /proc/self/status\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	stage, err := NewStage(&bench.Local{Bin: dir}, t.TempDir(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, side := range []string{"A", "B"} {
		if _, err := stage.Host(side); err != nil {
			t.Fatal(err)
		}
	}
	if got, policy := allowed(t, stage, nil); strings.Join(got[:1], "") == strconv.Itoa(two[0]) || policy == "SCHED_BATCH" {
		t.Errorf("moved by nobody, and only on %v, %s", got, policy)
	}
	if err := stage.Seat(two[0], two[1]); err != nil {
		t.Fatal(err)
	}
	got, policy := allowed(t, stage, func() {
		if err := stage.Seat(two[1], two[0]); err != nil {
			t.Error(err)
		}
	})
	if len(got) != 2 || got[0] != strconv.Itoa(two[0]) || got[1] != strconv.Itoa(two[1]) || policy != "SCHED_BATCH" {
		t.Errorf("on %v, want %v; %s, want SCHED_BATCH", got, two, policy)
	}
	if err := stage.Seat(two[0], two[1]); err != nil {
		t.Errorf("moving what has ended: %v", err)
	}
	if _, err := NewStage(&bench.Local{Bin: dir}, dir, "no/such/replica", ""); err == nil || !strings.Contains(err.Error(), "replicas of A") {
		t.Errorf("a program that is not there: %v", err)
	}
}

// allowed starts the replica of side A, calls a function while it runs, and returns which processors it could use before
// and after, and its scheduling policy.
func allowed(t *testing.T, stage *Stage, meanwhile func()) (on []string, policy string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(stage.programs("A"), "replica"))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	text := ""
	for buffer := make([]byte, 4096); ; {
		n, err := out.Read(buffer)
		text += string(buffer[:n])
		if meanwhile != nil && strings.Contains(text, "Cpus_allowed_list") {
			meanwhile()
			meanwhile = nil
		}
		if strings.Contains(text, "Cpus_allowed_list") {
			in.Close()
		}
		if err != nil {
			break
		}
	}
	if err := cmd.Wait(); err != nil && !strings.Contains(err.Error(), "exit status 1") { // of read
		t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		if list, found := strings.CutPrefix(line, "Cpus_allowed_list:"); found {
			on = append(on, strings.TrimSpace(list))
		}
		if _, said, found := strings.Cut(line, "scheduling policy: "); found {
			policy = strings.TrimSpace(said)
		}
	}
	return on, policy
}
