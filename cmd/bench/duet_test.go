package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"paxosbench/bench/suite"
	"paxosbench/cmd/program"
)

// TestPinned wants a program, and what it starts, kept to the processor that was said.
func TestPinned(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, processor := range []string{"0", "1"} {
		out, err := exec.Command(self, "pinned", processor, "/bin/sh", "-c", "grep Cpus_allowed_list /proc/self/status").CombinedOutput()
		if got := strings.Fields(string(out)); err != nil || len(got) != 2 || got[1] != processor {
			t.Errorf("pinned to %s: %s (%v)", processor, out, err)
		}
	}
	if out, err := exec.Command(self, "pinned", "0", "/no/such/program").CombinedOutput(); err == nil || !strings.Contains(string(out), "/no/such/program") {
		t.Errorf("a program that is not there: %s (%v)", out, err)
	}
}

// TestDuet makes a duet of clusters, the replicas of one being another program, and wants nothing left of it.
func TestDuet(t *testing.T) {
	t.Chdir(t.TempDir())
	args := []string{"compare", "--duet", "--pairs", "1", "--duration", "100ms", "--warmup", "0s", "--bin", bin, "--port-base", "26000"}
	code, stdout, stderr := invoke(t, append(args, "--replica-b", burning(t, 0.01), "--", "--durability none", "--durability none")...)
	if code != program.ExitDone || !strings.Contains(stdout, "throughput") || !strings.Contains(stdout, "1 duets and their reverse") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	if left, err := filepath.Glob(".cluster/*"); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	code, _, stderr = invoke(t, append(args, "--replica-a", "nowhere/replica", "--", "", "")...)
	if code != program.ExitUsage || !strings.Contains(stderr, "the replicas of A") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// burning makes a program that is the replica, and burns a share of its processor besides.
func burning(t *testing.T, share float64) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "replica")
	line := suite.ShellLine([]string{self, "burn", fmt.Sprint(share), filepath.Join(bin, "replica")})
	if err := os.WriteFile(path, []byte("#!/bin/sh\nexec "+line+" \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// burn is called with a share and a command line: it becomes the command, and leaves a child that burns the share for as
// long as the command lives. Called with a share alone, it is that child.
func burn(args []string) int {
	share, err := strconv.ParseFloat(args[0], 64)
	if err != nil {
		return program.ExitUsage
	}
	if len(args) == 1 {
		for parent := os.Getppid(); os.Getppid() == parent; {
			const period = 5 * time.Millisecond
			busy := time.Duration(share * float64(period))
			for began := time.Now(); time.Since(began) < busy; {
			}
			time.Sleep(period - busy)
		}
		return program.ExitDone
	}
	child := exec.Command("/proc/self/exe", "burn", args[0])
	if err := child.Start(); err != nil {
		return program.ExitInternal
	}
	fmt.Fprintln(os.Stderr, syscall.Exec(args[1], args[1:], os.Environ()))
	return program.ExitInternal
}

// TestDuetCampaign counts how often a difference is found: where there is none, and where the replicas of B together burn 3 %
// of their processor. It takes an hour of an otherwise idle host, so that PAXOSBENCH_DUETS says how many comparisons to make,
// and PAXOSBENCH_DUET_SHARES which shares to burn, 0 and 0.03 if it says nothing.
func TestDuetCampaign(t *testing.T) {
	trials, err := strconv.Atoi(os.Getenv("PAXOSBENCH_DUETS"))
	if err != nil {
		t.Skip("PAXOSBENCH_DUETS is not set: how many comparisons?")
	}
	shares := os.Getenv("PAXOSBENCH_DUET_SHARES")
	if shares == "" {
		shares = "0 0.03"
	}
	t.Chdir(t.TempDir())
	verdict, figures := regexp.MustCompile(`(?m)^\d+ duets.*$`), regexp.MustCompile(`(?m)^throughput.*$`)
	for share := range strings.FieldsSeq(shares) {
		of, err := strconv.ParseFloat(share, 64)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for trial := range trials {
			code, stdout, stderr := invoke(t, "compare", "--duet", "--pairs", "10", "--duration", "1s", "--warmup", "300ms", "--bin", bin,
				"--port-base", "26000", "--seed", strconv.Itoa(100*trial+1), "--replica-b", burning(t, of/3), "--",
				"--durability none -- --window 256", "--durability none -- --window 256")
			if code != program.ExitDone {
				t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
			}
			said := verdict.FindString(stdout)
			t.Logf("%g %%: %s: %s", 100*of, said, figures.FindString(stdout))
			if strings.Contains(said, "faster") {
				found++
			}
		}
		t.Logf("with %g %% burnt a difference in throughput was found in %d of %d", 100*of, found, trials)
	}
}
