package suite

import (
	"slices"
	"strings"
	"testing"
	"time"

	"paxosbench/bench/record"
)

const sample = `
name: sample
title: A sample
question: Does it parse?
axes:
  window: [1, 64]
  batch: [none, "count:16", adaptive]
fixed: {conns: 4, batch-bytes: 1MiB}
exclude:
  - {batch: none, window: 64}
include:
  - {variant: two words, replicas: 1, unreplicated: "true"}
adjust:
  - when: {batch: none}
    set: {batch-bytes: 64KiB, linger: 1ms}
repeats: 3
warmup: 500ms
duration: 2s
graphs:
  - {name: g, title: G, kind: line, x: window, y: throughput, series: batch}
`

func parse(t *testing.T, text string) *Suite {
	t.Helper()
	s, err := Parse("sample.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCells(t *testing.T) {
	s := parse(t, sample)
	want := []string{
		"window=1 batch=none", "window=1 batch=count:16", "window=1 batch=adaptive",
		"window=64 batch=count:16", "window=64 batch=adaptive",
		`variant="two words" replicas=1 unreplicated=true`,
	}
	var got []string
	for _, c := range s.Cells() {
		got = append(got, c.String())
	}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("cells are %q", got)
	}
	if s.Warmup != 500*time.Millisecond || s.Duration != 2*time.Second || s.Repeats != 3 || len(s.Graphs) != 1 {
		t.Errorf("read as %+v", s)
	}
}

func TestSettingsLieOnEachOther(t *testing.T) {
	s := parse(t, sample)
	for cell, want := range map[string]string{
		"window=1 batch=count:16":     "conns=4 batch-bytes=1MiB window=1 batch=count:16",
		"window=1 batch=none":         "conns=4 batch-bytes=64KiB linger=1ms window=1 batch=none",
		"batch=none batch-bytes=4KiB": "conns=4 batch-bytes=4KiB linger=1ms batch=none",
	} {
		c, err := ParseCell(cell)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Settings(c).String(); got != want {
			t.Errorf("in %s holds %s, want %s", cell, got, want)
		}
	}
	if s.Fixed.String() != "conns=4 batch-bytes=1MiB" {
		t.Errorf("the fixed settings have become %s", s.Fixed)
	}
}

// What is wrong is named, with its line.
func TestRefusals(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"repeats: 3", "repeat: 3", "line 16: unknown key repeat"},
		{"x: window", "ex: window", "line 20: unknown key ex"},
		{"  window: [1, 64]", "  windows: [1, 64]", "line 6: unknown knob windows"},
		{"fixed: {conns: 4,", "fixed: {cons: 4,", "line 8: unknown knob cons"},
		{"{batch: none, window: 64}", "{batch: none, batch: none}", "line 10: batch comes twice"},
		{"window: [1, 64]", "window: 64", "line 6: window: want a list"},
		{"window: [1, 64]", "window: [1, [2]]", "line 6: want a single value"},
		{"window: [1, 64]", "window: [1, 1]", "comes twice"},
		{"repeats: 3", "repeats: 0", "repeats 0"},
		{"duration: 2s", "duration: 2h", "duration 2h"},
		{"kind: line", "kind: pie", `graph g: kind "pie"`},
		{"y: throughput", "y: through", `graph g: y "through"`},
		{"series: batch", "series: throughput", `graph g: series "throughput"`},
		{"name: sample", "name: ../sample", `name "../sample"`},
		{"window: [1, 64]", "load: [1, 64]", `load "1"`},
		{"conns: 4,", "conns: 4, rate: 5, load: 50%,", "load and rate"},
		{"conns: 4,", "conns: 4, admin: none,", "line 8: unknown knob admin"},
		{"window: [1, 64]", "link-delay: [1s, 11s]", "line 6: axis link-delay=11s: want a length of time"},
		{"conns: 4,", "conns: 4, tls: maybe,", "line 8: tls=maybe: want true or false"},
		{"replicas: 1,", "replicas: 9,", "line 12: replicas=9: want a whole number from 1 to 7"},
		{"name: sample", "name: sample\nname: again", "line 3"},
	} {
		text := strings.Replace(sample, c.old, c.new, 1)
		if text == sample {
			t.Fatalf("%q is not in the sample", c.old)
		}
		if _, err := Parse("sample.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("with %q: %v, want %q", c.new, err, c.want)
		}
	}
	if _, err := Parse("two.yaml", []byte(sample+"\n---\n"+sample)); err == nil {
		t.Error("two suites in one file are read as one")
	}
}

// TestAliases wants an alias to be what it names: a value, a list or a mapping; and what is not understood to be refused.
func TestAliases(t *testing.T) {
	s := parse(t, strings.NewReplacer("window: [1, 64]", "window: &sizes [1, &big 64]\n  conns: *sizes",
		"fixed: {conns: 4, batch-bytes: 1MiB}", "fixed: &all {batch-bytes: 1MiB, keys: *big}", "set: {batch-bytes: 64KiB, linger: 1ms}", "set: *all").Replace(sample))
	if s.Fixed.String() != "batch-bytes=1MiB keys=64" || len(s.Axes[1].Values) != 2 || s.Axes[1].Values[1] != "64" || s.Adjust[0].Set.String() != s.Fixed.String() {
		t.Errorf("read as %+v", s)
	}
	for text, want := range map[string]string{
		strings.Replace(sample, "fixed: {conns: 4,", "fixed: {<<: {conns: 4},", 1): "line 8: mappings are not merged here",
		"":                "it is empty",
		"# nothing yet\n": "it is empty",
	} {
		if _, err := Parse("sample.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// All values that make no sense are reported at once.
func TestAllBadValuesAtOnce(t *testing.T) {
	text := strings.NewReplacer("window: [1, 64]", "link-delay: [-1ms, 1]", "conns: 4", "tls: 1").Replace(sample)
	_, err := Parse("sample.yaml", []byte(text))
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"sample.yaml: ", "line 6: axis link-delay=-1ms:", "line 6: axis link-delay=1:", "line 8: tls=1:"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
}

func TestCheckValue(t *testing.T) {
	for _, c := range []struct{ knob, good, bad string }{
		{"load", "70% 0.5%", "70 0% -5%"},
		{"link-rate", "unlimited 100MB", "fast 0 -1"},
		{"link-delay", "0s 10ms 10s", "5 -1ms 11s"},
		{"replicas", "1 7", "0 8 many"},
		{"tls", "true false", "1 yes"},
		{"variant", "anything", ""},
	} {
		for value := range strings.FieldsSeq(c.good) {
			if err := CheckValue(c.knob, value); err != nil {
				t.Error(err)
			}
		}
		for value := range strings.FieldsSeq(c.bad) {
			if err := CheckValue(c.knob, value); err == nil || !strings.Contains(err.Error(), c.knob+"=") {
				t.Errorf("%s=%s: %v", c.knob, value, err)
			}
		}
	}
}

// A knob has one owner, and what the runner does is no knob.
func TestOwners(t *testing.T) {
	owners := make(map[string]int)
	for _, knobs := range defaultsOf {
		for _, k := range knobs {
			owners[k.Knob]++
		}
	}
	for name, n := range owners {
		if n != 1 {
			t.Errorf("%s has %d owners", name, n)
		}
	}
	for _, name := range runners {
		if !slices.ContainsFunc(flagDefaults(replicaFlags+loadFlags), func(s Setting) bool { return s.Knob == name }) {
			t.Errorf("%s, which is said to be the runner's, is no flag", name)
		}
		if owners[name] > 0 && OwnerOf(name) != Bench {
			t.Errorf("%s is the runner's, and a knob", name)
		}
	}
	for name, want := range map[string]Owner{"batch": Replica, "memory": Replica, "window": Load, "connect-timeout": Load, "load": Bench, "io-loops": 0, "data": 0} {
		if got := OwnerOf(name); got != want {
			t.Errorf("%s is owned by %d, want %d", name, got, want)
		}
	}
}

// What holds without a setting is what the programs say, and the suite of its own knobs.
func TestDefaults(t *testing.T) {
	for knob, want := range map[string]string{
		"replicas": "3", "link-rate": "unlimited", "durability": "fsync", "conns": "4", "window": "1024", "mix": "put:1", "key-dist": "uniform",
		"value-size": "8", "tick": "auto", "rate": "", "load": "", "unheard-of": "", "data": "",
	} {
		if got := Default(knob); got != want {
			t.Errorf("%s is %q without a setting, want %q", knob, got, want)
		}
	}
	if got := (Cell{{"conns", "8"}}).Effective("conns"); got != "8" {
		t.Errorf("what is set comes to %s", got)
	}
}

// As many commands are in flight as windows and connections allow, those of the load generator where a cell does not say.
func TestInFlight(t *testing.T) {
	for text, want := range map[string]int{
		"": 4 * 1024, "window=16": 64, "conns=1": 1024, "conns=3 window=5": 15, "in-flight=77 conns=2": 77, "rate=5k": 0, "load=70% window=9": 0,
	} {
		cell, err := ParseCell(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := cell.InFlight(); got != want {
			t.Errorf("%q: %d in flight, want %d", text, got, want)
		}
	}
}

func TestNoKnobIsAColumn(t *testing.T) {
	for _, c := range Columns() {
		if OwnerOf(c.Name) != 0 {
			t.Errorf("%s is a knob and a measured column", c.Name)
		}
	}
}

// A machine of which nobody could see whether it stood still has no figure, not a good one, and one that did not has one.
func TestStoppedIsAbsentWhereNobodySaw(t *testing.T) {
	for _, tt := range []struct {
		result *record.Result
		want   float64
		ok     bool
	}{
		{nil, 0, false},
		{&record.Result{}, 0, false},
		{&record.Result{Host: record.Host{Looks: 40}}, 0, true},
		{&record.Result{Host: record.Host{Looks: 40, Stops: 4, StoppedPercent: 9}}, 9, true},
	} {
		if got, ok := (&Run{Result: tt.result}).Value("stopped"); got != tt.want || ok != tt.ok {
			t.Errorf("%+v: %v, %v, want %v, %v", tt.result, got, ok, tt.want, tt.ok)
		}
	}
}

func TestNumeric(t *testing.T) {
	for text, want := range map[string]float64{
		"64": 64, "count:64": 64, "bytes:64KiB": 65536, "4KiB": 4096, "100MB": 1e8, "50k": 50e3, "1.5M": 1.5e6,
		"5%": 0.05, "10ms": 0.01, "0s": 0, "put:0.05,get:0.95": 0.95, "get:1": 1, "put:1": 0,
	} {
		if got, ok := Numeric(text); !ok || got != want {
			t.Errorf("%s is %v, %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"adaptive", "none", "", "unlimited", "inf", "-Inf", "+infinity", "NaN", "infs", "Inf%", "true", "two words", "zipf:x"} {
		if got, ok := Numeric(text); ok {
			t.Errorf("%q is the number %v", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample)
	f.Add("axes: {a: &a [*a]}")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse("fuzz.yaml", []byte(text))
		if err == nil && len(s.Cells()) == 0 {
			t.Error("a suite without cells is accepted")
		}
	})
}

func FuzzParseCell(f *testing.F) {
	f.Add(`batch=none window=64`)
	f.Add(`at="2s kill leader" rate=50k`)
	f.Add(`at="2s\r"`)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCell(text)
		if err != nil {
			return
		}
		again, err := ParseCell(c.String())
		if err != nil || again.String() != c.String() {
			t.Errorf("%q is spelled %q, which is read as %q, %v", text, c, again, err)
		}
	})
}
