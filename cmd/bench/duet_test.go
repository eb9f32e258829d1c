//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"paxosbench/cmd/program"
)

// TestDuet makes a duet of clusters, the replicas of one being another program, and wants nothing left of it.
func TestDuet(t *testing.T) {
	handicapped := burning(t, 0.03)
	t.Chdir(t.TempDir())
	args := []string{"compare", "--duet", "--pairs", "1", "--duration", "100ms", "--warmup", "0s", "--bin", bin, "--port-base", "26000"}
	code, stdout, stderr := invoke(t, append(args, "--replica-b", handicapped, "--", "--durability none", "--durability none")...)
	if code != program.ExitDone || !strings.Contains(stdout, "throughput") || !strings.Contains(stdout, "1 duets, 100ms each") {
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

// burner is a file that makes a program burn a share of the CPU time that it uses, on top of that.
const burner = `package main

import (
	"strconv"
	"syscall"
	"time"
)

var burnt = "0.000" // the share, which the linker puts here

func init() {
	used := func() time.Duration {
		var u syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	share, err := strconv.ParseFloat(burnt, 64)
	if err != nil {
		panic(err)
	}
	go func() {
		burnt := time.Duration(0)
		for ; ; time.Sleep(2 * time.Millisecond) {
			for began := used(); float64(burnt) < share*float64(used()-burnt); burnt += used() - began {
				began = used()
				for range 20_000 {
				}
			}
		}
	}()
}
`

// burning builds the replica with a handicap: a file more, which the tree does not have. With whatever share, also none, it is the
// same program but for three digits: where code happens to lie may well be worth more than a small handicap.
func burning(t *testing.T, share float64) string {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	program, overlay := filepath.Join(dir, "replica"), filepath.Join(dir, "overlay.json")
	replace := fmt.Sprintf(`{"Replace": {%q: %q}}`, filepath.Join(root, "cmd/replica/burner.go"), filepath.Join(dir, "burner.go"))
	for path, text := range map[string]string{overlay: replace, filepath.Join(dir, "burner.go"): burner} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", fmt.Sprintf("-X main.burnt=%.3f", share), "-overlay", overlay,
		"-o", program, "./cmd/replica")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build with a handicap: %v\n%s", err, out)
	}
	return program
}

// TestDuetCampaign counts how often a difference is found: where there is none, and where the replicas of B use 3 % more CPU
// time for the same. It takes an hour, so that PAXOSBENCH_DUETS says how many comparisons to make, and PAXOSBENCH_DUET_SHARES
// which handicaps to give, 0 and 0.03 if it says nothing.
func TestDuetCampaign(t *testing.T) {
	trials, err := strconv.Atoi(os.Getenv("PAXOSBENCH_DUETS"))
	if err != nil {
		t.Skip("PAXOSBENCH_DUETS is not set: how many comparisons?")
	}
	shares := os.Getenv("PAXOSBENCH_DUET_SHARES")
	if shares == "" {
		shares = "0 0.03"
	}
	even := burning(t, 0)
	for share := range strings.FieldsSeq(shares) {
		of, err := strconv.ParseFloat(share, 64)
		if err != nil {
			t.Fatal(err)
		}
		program := burning(t, of)
		found := 0
		for trial := range trials {
			if said := duet(t, even, program, 100*trial+1); !strings.HasSuffix(said, ": no difference") {
				found++
			}
		}
		t.Logf("with a handicap of %g %% a difference was found in %d of %d", 100*of, found, trials)
	}
}

// duet compares two programs of replicas, logs the figures and returns the verdict.
func duet(t *testing.T, a, b string, seed int) string {
	const flags = "--durability none --log-bytes 16MiB -- --window 4096 --keys 1000"
	code, stdout, stderr := invoke(t, "compare", "--duet", "--pairs", "32", "--duration", "2s", "--warmup", "500ms", "--bin", bin,
		"--port-base", "26000", "--seed", strconv.Itoa(seed), "--replica-a", a, "--replica-b", b, "--", flags, flags)
	if code != 0 {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	t.Log(stdout)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	return lines[len(lines)-1]
}
