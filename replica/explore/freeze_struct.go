package explore

import (
	"fmt"
	"math/bits"
	"reflect"
	"slices"
	"strings"
	"unsafe"
)

// field is one field of a struct, with what is done about it.
type field struct {
	at uintptr
	*codec
	left     bool
	relative bool
}

func (c *codec) structure() {
	name := shortName(c.typ)
	r, isRing := rings[name]
	checkNames(c.typ, slices.Concat(left[name], relative[name]))
	c.plain = !isRing
	var fields []field
	for i := range c.typ.NumField() {
		f := c.typ.Field(i)
		if isRing && f.Name == r.field {
			continue
		}
		fc := codecOf(f.Type)
		c.plain = c.plain && fc.plain
		fields = append(fields, field{
			at: f.Offset, codec: fc,
			left: slices.Contains(left[name], f.Name), relative: slices.Contains(relative[name], f.Name),
		})
	}
	c.copy = func(dst, src unsafe.Pointer) {
		for i := range fields {
			fields[i].copy(unsafe.Add(dst, fields[i].at), unsafe.Add(src, fields[i].at))
		}
	}
	c.encode = func(e *encoder, p unsafe.Pointer) {
		for i := range fields {
			fields[i].append(e, unsafe.Add(p, fields[i].at))
		}
	}
	if isRing {
		c.addRing(r)
	}
}

func (f *field) append(e *encoder, p unsafe.Pointer) {
	switch {
	case f.left:
	case f.relative:
		e.putSigned(int64(*(*uint64)(p) - e.persisted))
	default:
		f.encode(e, p)
	}
}

// shortName is the name of a type with the last element of its package's path.
func shortName(t reflect.Type) string {
	return t.PkgPath()[strings.LastIndex(t.PkgPath(), "/")+1:] + "." + t.Name()
}

func checkNames(t reflect.Type, names []string) {
	for _, name := range names {
		offsetOf(t, name)
	}
}

// addRing makes the codec of a struct copy and encode what is in its ring buffer, which stands at its number modulo the length. The
// copy's ring is as small as its contents allow: it grows like any other.
func (c *codec) addRing(r ring) {
	f, ok := c.typ.FieldByName(r.field)
	if !ok {
		panic(fmt.Sprintf("BUG: %v has no field %s: the tables of freeze.go have to follow the sources", c.typ, r.field))
	}
	from, to, elem, size := offsetOf(c.typ, r.from), offsetOf(c.typ, r.to), codecOf(f.Type.Elem()), f.Type.Elem().Size()
	limits := func(p unsafe.Pointer) (first, end uint64, slots reflect.Value) {
		return *(*uint64)(unsafe.Add(p, from)) + r.skip, *(*uint64)(unsafe.Add(p, to)), reflect.NewAt(f.Type, unsafe.Add(p, f.Offset)).Elem()
	}
	at := func(slots reflect.Value, i uint64) unsafe.Pointer {
		return unsafe.Add(slots.UnsafePointer(), uintptr(i&uint64(slots.Len()-1))*size)
	}
	copyFields, encodeFields := c.copy, c.encode
	c.copy = func(dst, src unsafe.Pointer) {
		copyFields(dst, src)
		first, end, slots := limits(src)
		_, _, copies := limits(dst)
		if slots.IsNil() {
			return
		}
		n := max(minRing, 1<<bits.Len64(end-first))
		copies.Set(reflect.MakeSlice(f.Type, n, n))
		for i := first; i < end; i++ {
			elem.copy(at(copies, i), at(slots, i))
		}
	}
	c.encode = func(e *encoder, p unsafe.Pointer) {
		encodeFields(e, p)
		first, end, slots := limits(p)
		e.put(end - first)
		for i := first; i < end; i++ {
			elem.encode(e, at(slots, i))
		}
	}
}
