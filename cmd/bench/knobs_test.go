//go:build linux

package main

import (
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"paxosbench/bench/suite"
	"paxosbench/cmd/program"
)

// values are tried on the programs and on the check of suites. Left out is what is wrong only beside other settings.
var values = map[string]string{
	"durability":       "fsync sometimes",
	"batch":            "none count:524288 count:0 count:524289 bytes:4MiB bytes:5MiB none:1",
	"linger":           "0s -1s 5",
	"batch-bytes":      "4MiB 5MiB 0",
	"pipeline":         "4096 adaptive 4097",
	"pipeline-bytes":   "1 2TiB much",
	"compress":         "zstd lz4",
	"quorum2":          "0 7 8",
	"machine":          "noop sql",
	"reads":            "lease maybe",
	"unreplicated":     "true maybe",
	"heartbeat":        "1ms 999us",
	"election-timeout": "100ms 1ms",
	"client-window":    "1048576 1048577",
	"max-clients":      "1 0",
	"max-sessions":     "1048576 1048577",
	"store-limit":      "0 1MiB 1023KiB",
	"log-bytes":        "1MiB 1023KiB",
	"segment-bytes":    "8MiB 8191KiB",
	"snapshot-bytes":   "0 1MiB 1023KiB",

	"rate":           "1.5M 0 5K",
	"window":         "0 1048576 1048577",
	"session-window": "65536 65537",
	"arrival":        "burst:100 burst:0",
	"tick":           "auto -1s",
	"at":             "0s+kill+leader kill+leader",
	"interval":       "10ms 9ms",
	"timeout":        "1s 0s",
	"stall":          "1s late",
	"give-up":        "1ms never",
	"workload":       "ycsb-a ycsb-z",
	"mix":            "put:0.5,get:0.5 get:0.5",
	"keys":           "10k 1.5",
	"key-dist":       "conflict:2 zipf",
	"key-size":       "65535 65536 0",
	"value-size":     "uniform:16,1KiB 2MiB 1K",
	"compress-ratio": "4 0.5",
	"preload":        "yes maybe",
	"conns":          "64 0",
	"clients":        "64 65537",
	"threads":        "4 0",
	"verify":         "history all",
	"max-errors":     "1 1.1",
	"max-send-lag":   "0s -1ms",
}

// A suite takes exactly the values that the programs take, and has no knob that they do not know.
func TestSuitesTakeWhatProgramsTake(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a hundred processes")
	}
	for _, owner := range []suite.Owner{suite.Replica, suite.Load} {
		for _, knob := range suite.Knobs(owner) {
			taken, refused := 0, 0
			for value := range strings.FieldsSeq(values[knob]) {
				value = strings.ReplaceAll(value, "+", " ")
				ok, said := takes(t, owner, knob, value)
				if err := suite.CheckValue(knob, value); (err == nil) != ok {
					t.Errorf("%s=%s: a suite says %v, the program %q", knob, value, err, said)
				}
				if ok {
					taken++
				} else {
					refused++
				}
			}
			if taken == 0 || refused == 0 {
				t.Errorf("%s: %d values taken, %d refused: nothing is known of it", knob, taken, refused)
			}
		}
	}
}

// takes tells whether a program takes a value, going by its exit code: it cannot get any further than its command line, for
// there is no such address.
func takes(t *testing.T, owner suite.Owner, knob, value string) (ok bool, said string) {
	t.Helper()
	name := "loadgen"
	args := []string{"run", "--addrs", "127.0.0.1:1", "--admin", "none", "--give-up", "1ms", "--warmup", "0s", "--duration", "1ms", "--quiet",
		"--cluster-script", "true"}
	if slices.Contains(suite.ScheduleKnobs, knob) {
		args = append(args, "--rate", "1k")
	}
	if owner == suite.Replica {
		name, args = "replica", []string{"--id", "1", "--data", t.TempDir(), "--insecure-listen", "--member", "1=192.0.2.1:1,192.0.2.1:2"}
		for _, other := range []string{"2=b:1,b:2", "3=c:1,c:2", "4=d:1,d:2", "5=e:1,e:2", "6=f:1,f:2", "7=g:1,g:2"} {
			if knob != suite.KnobUnreplicated {
				args = append(args, "--member", other)
			}
		}
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(bin, name), append(args, "--"+knob+"="+value)...).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() < 0 {
		t.Fatalf("%s --%s=%s: %v: %s", name, knob, value, err, out)
	}
	return exit.ExitCode() != program.ExitUsage, string(out)
}
