package flame

import (
	"fmt"
	"hash/fnv"
	"strings"
)

// origin is where code comes from: a hue. Packages of one origin differ in shade.
type origin struct {
	name            string
	hue, saturation int
	of              func(pkg string) bool
}

// origins are asked in this order; the last takes what is left.
var origins = []origin{
	{"paxosbench", 32, 92, func(pkg string) bool {
		return pkg == "paxosbench" || strings.HasPrefix(pkg, "paxosbench/") || pkg == "main"
	}},
	{"other modules", 140, 45, func(pkg string) bool { return strings.Contains(firstElement(pkg), ".") }},
	{"Go runtime, library, kernel", 207, 60, func(string) bool { return true }},
}

const shades = 5

// shade is one of the tints of an origin, as an SVG colour.
func (o origin) shade(n int) string {
	return fmt.Sprintf("hsl(%d,%d%%,%d%%)", o.hue, o.saturation, 62+5*n)
}

// colour depends on the package of a function alone, so that it is the same in every picture.
func colour(function string) string {
	pkg := packageOf(function)
	h := fnv.New32a()
	h.Write([]byte(pkg))
	for _, o := range origins {
		if o.of(pkg) {
			return o.shade(int(h.Sum32() % shades))
		}
	}
	panic("BUG: the last origin takes everything")
}

// packageOf returns the import path in a function's name, as in path/to/pkg.(*Type).Method.
func packageOf(function string) string {
	path, name := "", function
	if brackets := strings.IndexByte(function, '['); brackets >= 0 {
		name = function[:brackets]
	}
	if slash := strings.LastIndexByte(name, '/'); slash >= 0 {
		path, name = name[:slash+1], name[slash+1:]
	}
	pkg, _, _ := strings.Cut(name, ".")
	return path + pkg
}

func firstElement(pkg string) string {
	first, _, _ := strings.Cut(pkg, "/")
	return first
}
