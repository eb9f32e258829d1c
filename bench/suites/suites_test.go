package suites

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"paxosbench/bench/suite"
)

// The suites of the project, and the time that the reference run of all of them may take.
var shipped = []string{
	"ablation", "adaptive", "batch-x-pipeline", "batching", "compression", "connections", "durability", "failover", "headline",
	"latency-throughput", "payload", "pipeline", "reads", "replicas", "smoke", "tls",
}

const (
	allTogether = 2 * time.Hour
	smokeAlone  = 2 * time.Minute
)

func TestShippedSuites(t *testing.T) {
	if !slices.Equal(Names(), shipped) {
		t.Fatalf("the suites are %v", Names())
	}
	var total time.Duration
	for _, name := range Names() {
		s, _, err := Load(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if s.Name != name {
			t.Errorf("%s.yaml is called %s", name, s.Name)
		}
		if len(s.Graphs) == 0 {
			t.Errorf("%s draws nothing", name)
		}
		takes := suite.Estimate(s.Plan(1, s.Repeats), s.Warmup, s.Duration)
		total += takes
		if name == "smoke" && takes > smokeAlone {
			t.Errorf("smoke takes %v", takes)
		}
		adaptiveBesideFixed(t, s)
		equallyLoaded(t, s)
	}
	if total > allTogether {
		t.Errorf("all suites take %v", total)
	}
	t.Logf("all suites take %v", total)
}

// What is compared has equally much in flight, but where that cannot be measured: then the pictures say so. What a variant sets, all of
// that variant have.
func equallyLoaded(t *testing.T, s *suite.Suite) {
	t.Helper()
	unmeasurable := []string{"batch-x-pipeline", "payload"} // a command at a time over 10 ms, or 32 MiB before a disk
	for _, a := range s.Adjust {
		if a.When.Get(suite.KnobVariant) != "" && len(a.When) == 1 {
			continue
		}
		if a.Set.Get(suite.KnobWindow)+a.Set.Get("conns") != "" && !slices.Contains(unmeasurable, s.Name) {
			t.Errorf("%s: where %s there is less in flight than in what it is compared with", s.Name, a.When)
		}
	}
}

// A fixed batching policy without the adaptive one beside it would be a comparison with the rival left out.
func adaptiveBesideFixed(t *testing.T, s *suite.Suite) {
	t.Helper()
	for _, axis := range s.Axes {
		if axis.Knob == "batch" && !slices.Contains(axis.Values, "adaptive") {
			t.Errorf("%s varies batch without adaptive", s.Name)
		}
	}
}

func TestUnknownSuite(t *testing.T) {
	for _, name := range []string{"nonsense", "", "../suites/smoke"} {
		if _, _, err := Load(name); err == nil || !strings.Contains(err.Error(), "smoke") {
			t.Errorf("Load(%q): %v", name, err)
		}
	}
}

// The example of the README is a suite.
func TestReadmeExample(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```yaml\n")
	example, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("there is no example")
	}
	if _, err := suite.Parse("README.md", []byte(example)); err != nil {
		t.Error(err)
	}
	for _, c := range suite.Columns() {
		if !strings.Contains(string(text), "`"+c.Name+"`") {
			t.Errorf("column %s is not described", c.Name)
		}
	}
}
