package flame

import (
	"cmp"
	"slices"

	"github.com/google/pprof/profile"
)

// frame is a function in the context of its callers. The root stands for the whole profile.
type frame struct {
	name     string
	value    int64 // of all samples in which it was on the stack, in this context
	self     int64 // of those in which it was at the top
	children []*frame
}

// newTree adds up the samples of a profile by stack. index chooses among the values of each sample.
func newTree(p *profile.Profile, index int) *frame {
	root := &frame{name: "all"}
	for _, s := range p.Sample {
		root.add(s.Location, s.Value[index])
	}
	root.sort()
	return root
}

// add enters one stack, the innermost location first. A location has several lines where calls were inlined, again the
// innermost first.
func (f *frame) add(stack []*profile.Location, value int64) {
	f.value += value
	for i := len(stack) - 1; i >= 0; i-- {
		lines := stack[i].Line
		if len(lines) == 0 {
			f = f.child("(no symbol)")
			f.value += value
		}
		for j := len(lines) - 1; j >= 0; j-- {
			f = f.child(functionName(lines[j]))
			f.value += value
		}
	}
	f.self += value
}

func functionName(line profile.Line) string {
	if line.Function == nil || line.Function.Name == "" {
		return "(no symbol)"
	}
	return line.Function.Name
}

func (f *frame) child(name string) *frame {
	for _, c := range f.children {
		if c.name == name {
			return c
		}
	}
	c := &frame{name: name}
	f.children = append(f.children, c)
	return c
}

// sort orders by name, so that two profiles of the same program can be laid side by side.
func (f *frame) sort() {
	slices.SortFunc(f.children, func(a, b *frame) int { return cmp.Compare(a.name, b.name) })
	for _, c := range f.children {
		c.sort()
	}
}

// depth is the number of rows that the frame and all above it take, without those too narrow to draw.
func (f *frame) depth(least int64) int {
	deepest := 0
	for _, c := range f.children {
		if c.value >= least {
			deepest = max(deepest, c.depth(least))
		}
	}
	return deepest + 1
}
