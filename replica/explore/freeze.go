package explore

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"time"
	"unsafe"

	"paxosbench/pipeline"
	"paxosbench/replica/paxos"
	"paxosbench/wire"
)

// Cores are copied and encoded field by field, by their types as the compiler has them. So a field that is added to the
// core is copied and told apart without a line here, and one of a kind that cannot be (a function, an interface) stops the first
// test. What is left out is in the tables below, by name; a name that is not there any more is found as soon.

// left are the fields that the encoding leaves out, and why two states that differ in nothing else are one.
var left = map[string][]string{
	"paxos.Core": {
		"cfg",          // the same in all states of a replica
		"now",          // times are encoded by their distance to it
		"rng",          // draws timeouts, within bounds that any event exceeds, and the nonce of a rejoin, which is as good as any
		"out", "spare", // carried out after each event
		"stats",
		"suspicion", // of what these replicas never do
	},
	"paxos.slotLog":   {"bytes", "buffers", "spent", "retired"}, // memory
	"pipeline.Window": {"cfg", "vegas"},                         // the depth is fixed
	"paxos.sending":   {"measured", "since"},                    // what a flow is told
	"ring.Queue":      {"head", "tail"},                         // see rings
}

// relative are numbers that count from the start of a life: only their distance to Core.persisted matters.
var relative = map[string][]string{
	"paxos.Core":    {"appended", "persisted"},
	"paxos.waiting": {"record"},
}

// ring describes a ring buffer whose contents have the numbers [from+skip, to).
type ring struct {
	field, from, to string
	skip            uint64
}

var rings = map[string]ring{
	"paxos.slotLog":   {field: "ring", from: "first", to: "next"},
	"pipeline.Window": {field: "ring", from: "frontier", to: "next", skip: 1},
	"ring.Queue":      {field: "ring", from: "head", to: "tail"},
}

const minRing = 8

// Types that are not encoded: what copies have in common, and how a flow paces itself, which for a few small entries makes no
// difference; and those of which not even a copy is made, because they carry nothing from one event to the next.
var (
	assigned = []reflect.Type{
		reflect.TypeFor[paxos.Config](), reflect.TypeFor[pipeline.Config](), reflect.TypeFor[*wire.Buffers](), reflect.TypeFor[paxos.Flow](),
	}
	spent = []reflect.Type{reflect.TypeFor[paxos.Ready]()}
)

// codec copies and encodes values of one type.
type codec struct {
	typ    reflect.Type
	plain  bool // holds no pointer: an assignment copies it
	copy   func(dst, src unsafe.Pointer)
	encode func(e *encoder, p unsafe.Pointer)
}

// encoder is where an encoding goes, with what it is relative to.
type encoder struct {
	buf       []byte
	now       time.Duration
	persisted uint64
}

func (e *encoder) put(v uint64)      { e.buf = binary.AppendUvarint(e.buf, v) }
func (e *encoder) putSigned(v int64) { e.buf = binary.AppendVarint(e.buf, v) }

// age is all that is told of a time: never, to come, just now, or long ago.
func age(t, now time.Duration) byte {
	switch {
	case t == 0:
		return 0
	case t > now:
		return 1
	case now-t < electionTimeout/2:
		return 2
	case now-t < electionTimeout:
		return 3
	}
	return 4
}

var (
	codecs    = map[reflect.Type]*codec{}
	coreCodec = codecOf(reflect.TypeFor[paxos.Core]())
	coreNow   = offsetOf(coreCodec.typ, "now")
	coreDone  = offsetOf(coreCodec.typ, "persisted")
)

// clone returns a copy of a core that shares nothing with it but its configuration.
func clone(c *paxos.Core) *paxos.Core {
	n := new(paxos.Core)
	coreCodec.copy(unsafe.Pointer(n), unsafe.Pointer(c))
	return n
}

// appendCore appends the encoding of a core.
func appendCore(dst []byte, c *paxos.Core) []byte {
	p := unsafe.Pointer(c)
	e := encoder{buf: dst, now: *(*time.Duration)(unsafe.Add(p, coreNow)), persisted: *(*uint64)(unsafe.Add(p, coreDone))}
	coreCodec.encode(&e, p)
	return e.buf
}

// coreTime returns the time that a core was told last.
func coreTime(c *paxos.Core) time.Duration {
	return *(*time.Duration)(unsafe.Add(unsafe.Pointer(c), coreNow))
}

func offsetOf(t reflect.Type, field string) uintptr {
	f, ok := t.FieldByName(field)
	if !ok {
		panic(fmt.Sprintf("BUG: %v has no field %s: the tables of freeze.go have to follow the sources", t, field))
	}
	return f.Offset
}

// codecOf returns the codec of a type, which it makes the first time.
func codecOf(t reflect.Type) *codec {
	if c := codecs[t]; c != nil {
		return c
	}
	c := &codec{typ: t}
	codecs[t] = c
	switch {
	case slices.Contains(assigned, t):
		c.copy, c.encode = assign(t), func(*encoder, unsafe.Pointer) {}
	case slices.Contains(spent, t):
		c.copy, c.encode = func(unsafe.Pointer, unsafe.Pointer) {}, func(*encoder, unsafe.Pointer) {}
	case t == reflect.TypeFor[time.Duration]():
		c.number(func(e *encoder, p unsafe.Pointer) { e.buf = append(e.buf, age(*(*time.Duration)(p), e.now)) })
	default:
		c.make()
	}
	return c
}

// assign copies as an assignment does.
func assign(t reflect.Type) func(dst, src unsafe.Pointer) {
	return func(dst, src unsafe.Pointer) { reflect.NewAt(t, dst).Elem().Set(reflect.NewAt(t, src).Elem()) }
}

func (c *codec) number(encode func(e *encoder, p unsafe.Pointer)) {
	c.plain, c.copy, c.encode = true, assign(c.typ), encode
}

func (c *codec) make() {
	switch c.typ.Kind() {
	case reflect.Bool, reflect.Uint8:
		c.number(func(e *encoder, p unsafe.Pointer) { e.buf = append(e.buf, *(*byte)(p)) })
	case reflect.Int:
		c.number(func(e *encoder, p unsafe.Pointer) { e.putSigned(int64(*(*int)(p))) })
	case reflect.Int64:
		c.number(func(e *encoder, p unsafe.Pointer) { e.putSigned(*(*int64)(p)) })
	case reflect.Uint16:
		c.number(func(e *encoder, p unsafe.Pointer) { e.put(uint64(*(*uint16)(p))) })
	case reflect.Uint32:
		c.number(func(e *encoder, p unsafe.Pointer) { e.put(uint64(*(*uint32)(p))) })
	case reflect.Uint, reflect.Uint64:
		c.number(func(e *encoder, p unsafe.Pointer) { e.put(*(*uint64)(p)) })
	case reflect.Pointer:
		c.pointer()
	case reflect.Slice:
		c.slice()
	case reflect.Array:
		c.array()
	case reflect.Map:
		c.mapping()
	case reflect.Struct:
		c.structure()
	default:
		panic(fmt.Sprintf("BUG: the core holds a %v, which freeze.go cannot copy", c.typ))
	}
}

func (c *codec) pointer() {
	elem := codecOf(c.typ.Elem())
	c.copy = func(dst, src unsafe.Pointer) {
		if from := *(*unsafe.Pointer)(src); from != nil {
			to := reflect.New(elem.typ).UnsafePointer()
			elem.copy(to, from)
			*(*unsafe.Pointer)(dst) = to
		}
	}
	c.encode = func(e *encoder, p unsafe.Pointer) {
		if from := *(*unsafe.Pointer)(p); from != nil {
			e.put(1)
			elem.encode(e, from)
			return
		}
		e.put(0)
	}
}

func (c *codec) slice() {
	elem := codecOf(c.typ.Elem())
	c.copy = func(dst, src unsafe.Pointer) {
		from, to := reflect.NewAt(c.typ, src).Elem(), reflect.NewAt(c.typ, dst).Elem()
		if from.IsNil() {
			return
		}
		to.Set(reflect.MakeSlice(c.typ, from.Len(), from.Len()))
		elem.copyAll(to.UnsafePointer(), from.UnsafePointer(), from.Len())
	}
	c.encode = func(e *encoder, p unsafe.Pointer) {
		from := reflect.NewAt(c.typ, p).Elem()
		e.put(uint64(from.Len()))
		elem.encodeAll(e, from.UnsafePointer(), from.Len())
	}
}

// mapping is for maps whose keys are unsigned numbers: they are encoded in the order of those.
func (c *codec) mapping() {
	key, elem := c.typ.Key(), codecOf(c.typ.Elem())
	if key.Kind() != reflect.Uint64 {
		panic(fmt.Sprintf("BUG: the core holds a %v, which freeze.go cannot encode", c.typ))
	}
	at := func(m, k reflect.Value) reflect.Value {
		v := reflect.New(elem.typ)
		v.Elem().Set(m.MapIndex(k))
		return v
	}
	c.copy = func(dst, src unsafe.Pointer) {
		from, to := reflect.NewAt(c.typ, src).Elem(), reflect.NewAt(c.typ, dst).Elem()
		if from.IsNil() {
			return
		}
		to.Set(reflect.MakeMap(c.typ))
		for _, k := range from.MapKeys() {
			v := reflect.New(elem.typ)
			elem.copy(v.UnsafePointer(), at(from, k).UnsafePointer())
			to.SetMapIndex(k, v.Elem())
		}
	}
	c.encode = func(e *encoder, p unsafe.Pointer) {
		from := reflect.NewAt(c.typ, p).Elem()
		keys := from.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(a.Uint(), b.Uint()) })
		e.put(uint64(len(keys)))
		for _, k := range keys {
			e.put(k.Uint())
			elem.encode(e, at(from, k).UnsafePointer())
		}
	}
}

func (c *codec) array() {
	elem, n := codecOf(c.typ.Elem()), c.typ.Len()
	c.plain = elem.plain
	c.copy = func(dst, src unsafe.Pointer) { elem.copyAll(dst, src, n) }
	c.encode = func(e *encoder, p unsafe.Pointer) { elem.encodeAll(e, p, n) }
}

func (c *codec) copyAll(dst, src unsafe.Pointer, n int) {
	if c.plain {
		size := c.typ.Size() * uintptr(n)
		copy(unsafe.Slice((*byte)(dst), size), unsafe.Slice((*byte)(src), size))
		return
	}
	for i := range n {
		at := uintptr(i) * c.typ.Size()
		c.copy(unsafe.Add(dst, at), unsafe.Add(src, at))
	}
}

func (c *codec) encodeAll(e *encoder, p unsafe.Pointer, n int) {
	for i := range n {
		c.encode(e, unsafe.Add(p, uintptr(i)*c.typ.Size()))
	}
}
