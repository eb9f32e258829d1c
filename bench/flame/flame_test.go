package flame

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// sampled builds a profile of stacks, the outermost function first, each with its nanoseconds.
func sampled(stacks map[string]int64) *profile.Profile {
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}}}
	places := make(map[string]*profile.Location)
	for stack, ns := range stacks {
		s := &profile.Sample{Value: []int64{1, ns}}
		for name := range strings.SplitSeq(stack, ";") {
			if places[name] == nil {
				id := uint64(len(places) + 1)
				fn := &profile.Function{ID: id, Name: name}
				places[name] = &profile.Location{ID: id, Line: []profile.Line{{Function: fn}}}
				p.Function, p.Location = append(p.Function, fn), append(p.Location, places[name])
			}
			s.Location = append([]*profile.Location{places[name]}, s.Location...)
		}
		p.Sample = append(p.Sample, s)
	}
	return p
}

func draw(t *testing.T, p *profile.Profile) string {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, p, `a & b < "c"`); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestWrite(t *testing.T) {
	stacks := map[string]int64{
		"main.main;paxosbench/replica.(*loop).Round;runtime.memmove": 600e6,
		"main.main;paxosbench/replica.(*loop).Round":                 200e6,
		"main.main;github.com/x/y.Poll[go.shape.[]uint8]":            200e6,
		"main.main;runtime.nothing":                                  1,
	}
	svg := draw(t, sampled(stacks))
	for _, want := range []string{
		"paxosbench/replica.(*loop).Round\n800ms, 80.00 % of all; itself 200ms, 20.00 %",
		"runtime.memmove\n600ms, 60.00 % of all", ">replica.(*loop).Round<", ">y.Poll[go.shape.[]uint8]<",
		"a &amp; b &lt; &quot;c&quot;", "1s cpu in all",
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %q in\n%s", want, svg)
		}
	}
	if strings.Contains(svg, "runtime.nothing") {
		t.Error("a frame too narrow to see was drawn")
	}
	dec := xml.NewDecoder(strings.NewReader(svg))
	for {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("not XML: %v", err)
		}
	}
	if again := draw(t, sampled(stacks)); again != svg {
		t.Error("the same profile gave another picture")
	}
}

// TestInlined takes a location of three lines as three frames, the innermost first.
func TestInlined(t *testing.T) {
	p := sampled(map[string]int64{"outer": 10})
	for _, name := range []string{"middle", "inner"} {
		l := p.Location[0]
		l.Line = append([]profile.Line{{Function: &profile.Function{Name: name}}}, l.Line...)
	}
	f := newTree(p, 1)
	for _, want := range []string{"outer", "middle", "inner"} {
		f = f.children[0]
		if f.name != want || f.value != 10 {
			t.Fatalf("got %s with %d, want %s with 10", f.name, f.value, want)
		}
	}
	if f.self != 10 {
		t.Errorf("the innermost has %d of its own, want 10", f.self)
	}
}

func TestTreeAddsUp(t *testing.T) {
	f := newTree(sampled(map[string]int64{"a;b;a": 1, "a;b": 2, "a;c": 4, "d": 8}), 1)
	if f.value != 15 || len(f.children) != 2 || f.children[0].value != 7 || f.depth(0) != 4 {
		t.Errorf("got %d in all, %d below, depth %d", f.value, len(f.children), f.depth(0))
	}
	check(t, f)
}

// check wants every frame to be worth itself and what it calls.
func check(t *testing.T, f *frame) {
	sum := f.self
	for _, c := range f.children {
		check(t, c)
		sum += c.value
	}
	if sum != f.value {
		t.Errorf("%s: %d, but %d in parts", f.name, f.value, sum)
	}
}

func TestEmptyIsRefused(t *testing.T) {
	if err := Write(io.Discard, sampled(nil), ""); err == nil {
		t.Error("a profile without samples was drawn")
	}
	if err := Write(io.Discard, &profile.Profile{}, ""); err == nil {
		t.Error("a profile without values was drawn")
	}
}

func TestNames(t *testing.T) {
	for function, want := range map[string][2]string{
		"paxosbench/replica/journal.(*Log).Append": {"paxosbench/replica/journal", "journal.(*Log).Append"},
		"github.com/a/b.F[github.com/c/d.T]":       {"github.com/a/b", "b.F[github.com/c/d.T]"},
		"runtime.mallocgc":                         {"runtime", "runtime.mallocgc"},
		"[vdso]":                                   {"", "[vdso]"},
	} {
		if got := [2]string{packageOf(function), shortName(function)}; got != want {
			t.Errorf("%s: got %q, want %q", function, got, want)
		}
	}
}

func TestFit(t *testing.T) {
	for _, c := range []struct {
		width float64
		want  string
	}{{200, "function"}, {6 + 5*charWidth, "func…"}, {20, ""}} {
		if got := fit("function", c.width); got != c.want {
			t.Errorf("in %g pixels: %q, want %q", c.width, got, c.want)
		}
	}
}

// TestFolded reads the stacks back that a profile was made of.
func TestFolded(t *testing.T) {
	stacks := map[string]int64{
		"main.main;paxosbench/replica.(*loop).Round;runtime.memmove": 600e6,
		"main.main;paxosbench/replica.(*loop).Round":                 200e6,
		"runtime.mcall;runtime.park":                                 5,
	}
	var out bytes.Buffer
	if err := Folded(&out, sampled(stacks)); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for stack, ns := range stacks {
		if want := fmt.Sprintf("%s %d", stack, ns); !slices.Contains(lines, want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	if len(lines) != len(stacks) {
		t.Errorf("%d lines for %d stacks", len(lines), len(stacks))
	}
}
