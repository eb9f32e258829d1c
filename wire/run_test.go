package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// walkFragment checks a fragment and, if it passes, takes it apart. What DecodeFragment lets through no later
// decoder may refuse: that is a panic here.
func walkFragment(src []byte) error {
	info, err := DecodeFragment(src)
	if err != nil {
		return err
	}
	runs, commands, registrations := 0, 0, 0
	for ; len(src) > 0; runs++ {
		run, n, err := DecodeRun(src)
		if err != nil || n != run.Len() || run.First == 0 || run.Last() < run.First || run.Seen >= run.First {
			panic(fmt.Sprintf("checked run %+v: %v", run, err))
		}
		src = src[n:]
		at := 0
		for range run.Count {
			command, end := run.CommandAt(at)
			if end != at+run.CommandLen(at) || !command.Op.valid() {
				panic(fmt.Sprintf("checked command %+v of %d bytes, want %d", command, end-at, run.CommandLen(at)))
			}
			if run.Common == 0 {
				if again, n, err := DecodeCommand(run.Commands[at:]); err != nil || n != end-at || !same(&again, &command) {
					panic(fmt.Sprintf("command %+v decodes as %+v: %v", command, again, err))
				}
			}
			if command.Op == OpCompareAndSet {
				SplitCompareAndSet(command.Value)
			}
			at = end
		}
		if at != len(run.Commands) {
			panic(fmt.Sprintf("%d bytes behind a checked run", len(run.Commands)-at))
		}
		commands += run.Count
		if run.Session == 0 {
			registrations++
		}
	}
	if info != (FragmentInfo{Runs: runs, Commands: commands, Registrations: registrations}) {
		panic(fmt.Sprintf("%+v, and there are %d runs, %d commands", info, runs, commands))
	}
	return nil
}

func same(a, b *Command) bool {
	return a.Op == b.Op && a.Flags == b.Flags && bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value)
}

func drawBytes(limit int) *rapid.Generator[[]byte] { return rapid.SliceOfN(rapid.Byte(), 0, limit) }

func drawCommand(t *rapid.T, dst []byte) ([]byte, Command) {
	op := rapid.SampledFrom([]Op{OpPut, OpGet, OpDelete, OpCompareAndSet}).Draw(t, "op")
	key := drawBytes(40).Draw(t, "key")
	value := drawBytes(100).Draw(t, "value")
	if op != OpCompareAndSet {
		return AppendCommand(dst, op, 0, key, value), Command{Op: op, Key: key, Value: value}
	}
	expected := drawBytes(20).Draw(t, "expected")
	flags := uint8(0)
	if len(expected) == 0 && rapid.Bool().Draw(t, "absent") {
		flags = FlagExpectAbsent
	}
	whole := binary.LittleEndian.AppendUint32(nil, uint32(len(expected)))
	whole = append(append(whole, expected...), value...)
	return AppendCompareAndSet(dst, flags, key, expected, value), Command{Op: op, Flags: flags, Key: key, Value: whole}
}

func TestRunsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var fragment []byte
		var want []Run
		var wantCommands [][]Command
		info := FragmentInfo{Runs: rapid.IntRange(0, 5).Draw(t, "runs")}
		for range info.Runs {
			run := Run{
				Session: SessionID(rapid.Uint64Min(1).Draw(t, "session")),
				First:   Seq(rapid.Uint64Range(1, math.MaxUint64-10).Draw(t, "first")),
				Count:   rapid.IntRange(1, 10).Draw(t, "count"),
			}
			run.Seen = Seq(rapid.Uint64Max(uint64(run.First-1)).Draw(t, "seen"))
			commands := make([]Command, run.Count)
			for i := range commands {
				run.Commands, commands[i] = drawCommand(t, run.Commands)
			}
			info.Commands += run.Count
			want, wantCommands = append(want, run), append(wantCommands, commands)
			fragment = AppendRunHeader(fragment, run.Session, run.First, run.Seen, run.Count, len(run.Commands))
			fragment = append(fragment, run.Commands...)
		}
		if got, err := DecodeFragment(fragment); err != nil || got != info {
			t.Fatalf("%+v, %v; want %+v", got, err, info)
		}
		for i := range want {
			run, n, err := DecodeRun(fragment)
			if err != nil || !reflect.DeepEqual(run, want[i]) || n != want[i].Len() {
				t.Fatalf("run %+v (%d bytes), %v; want %+v", run, n, err, want[i])
			}
			fragment = fragment[n:]
			checkCommands(t, run.Commands, wantCommands[i])
		}
	})
}

// TestCommandsAlike: whatever a run ends with, what is decoded of it are its commands, and they take no more bytes than with a header each.
func TestCommandsAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		op := rapid.SampledFrom([]Op{OpPut, OpGet, OpDelete}).Draw(t, "op")
		keyLen, valueLen := rapid.IntRange(0, 20).Draw(t, "key"), rapid.SampledFrom([]int{0, 1, 8, MaxAlike - 8, MaxAlike}).Draw(t, "value")
		count := rapid.IntRange(1, 40).Draw(t, "count")
		odd := rapid.IntRange(-1, 40).Draw(t, "another") // the command that differs, if there are as many
		var want []Command
		fragment := BeginRun([]byte("before"))
		for i := range count {
			c := Command{Op: op, Key: bytes.Repeat([]byte{byte(i)}, keyLen), Value: bytes.Repeat([]byte{^byte(i)}, valueLen)}
			if i == odd {
				switch rapid.IntRange(0, 3).Draw(t, "how") {
				case 0:
					c.Op = op%3 + 1
				case 1:
					c.Flags = 1
				case 2:
					c.Key = append(c.Key, 1)
				default:
					c.Value = append(c.Value, 1)
				}
			}
			want = append(want, c)
			fragment = AppendCommand(fragment, c.Op, c.Flags, c.Key, c.Value)
		}
		long := len(fragment) - len("before")
		fragment = EndRunAlike(fragment, len("before"), 7, 5, 4, count)
		if string(fragment[:len("before")]) != "before" {
			t.Fatalf("what stood before is % x", fragment[:len("before")])
		}
		fragment = fragment[len("before"):]
		if err := walkFragment(fragment); err != nil {
			t.Fatal(err)
		}
		run, n, err := DecodeRun(fragment)
		if err != nil || n != len(fragment) || n > long || run.Session != 7 || run.First != 5 || run.Seen != 4 || run.Count != count {
			t.Fatalf("%+v of %d bytes (%d with headers), %v", run, n, long, err)
		}
		body := keyLen + valueLen
		equal := !slices.ContainsFunc(want, func(c Command) bool {
			return c.Op != op || c.Flags != 0 || len(c.Key) != keyLen || len(c.Value) != valueLen
		})
		if got := run.Common != 0; got != (equal && count > 1 && body >= CommandHeaderSize && body <= MaxAlike) {
			t.Fatalf("%d commands of %d bytes, the same %v: alike %v", count, body, equal, got)
		}
		if run.Common != 0 && n != RunHeaderSize+CommandHeaderSize+count*body {
			t.Fatalf("%d bytes for %d commands of %d", n, count, body)
		}
		at := 0
		for i := range want {
			var got Command
			if got, at = run.CommandAt(at); !same(&got, &want[i]) {
				t.Fatalf("command %d is %+v, want %+v", i, got, want[i])
			}
		}
		// A part of a run, as a batch takes it, is one again.
		part := rapid.IntRange(1, count).Draw(t, "part")
		size := 0
		for range part {
			size += run.CommandLen(size)
		}
		again := append(run.AppendHeader(nil, part, size), run.Commands[:size]...)
		cut, n, err := DecodeRun(again)
		if err != nil || n != len(again) || cut.Common != run.Common || cut.Count != part || !bytes.Equal(cut.Commands, run.Commands[:size]) {
			t.Fatalf("the first %d are %+v, %v", part, cut, err)
		}
		if err := walkFragment(again); err != nil {
			t.Fatal(err)
		}
	})
}

func checkCommands(t *rapid.T, src []byte, want []Command) {
	for _, w := range want {
		got, n, err := DecodeCommand(src)
		if err != nil || !same(&got, &w) {
			t.Fatalf("command %+v, %v; want %+v", got, err, w)
		}
		if got.Op == OpCompareAndSet {
			expected, update := SplitCompareAndSet(got.Value)
			if again := AppendCompareAndSet(nil, got.Flags, got.Key, expected, update); !bytes.Equal(again, src[:n]) {
				t.Fatalf("% x split and joined is % x", src[:n], again)
			}
		}
		src = src[n:]
	}
}

// command and runOf build what the encoders would not.
func command(op Op, flags uint8, keyLen, valueLen int, rest []byte) []byte {
	return append(AppendCommandHeader(nil, op, flags, keyLen, valueLen), rest...)
}

func runOf(session SessionID, first, seen Seq, count int, commands []byte) []byte {
	return append(AppendRunHeader(nil, session, first, seen, count, len(commands)), commands...)
}

// runAlike builds a run of count commands that have a header in common, with so many bytes of key and value each.
func runAlike(session SessionID, count int, op Op, keyLen, valueLen int, bodies []byte) []byte {
	header := uint64(op) | uint64(keyLen)<<16 | uint64(valueLen)<<32
	return runOf(session, 1, 0, count|alike, append(binary.LittleEndian.AppendUint64(nil, header), bodies...))
}

func TestDecodeFragmentRefuses(t *testing.T) {
	put := command(OpPut, 0, 1, 1, []byte("kv"))
	register := command(OpRegister, 0, 0, 0, nil)
	cas := func(flags uint8, valueLen int, value string) []byte {
		return command(OpCompareAndSet, flags, 0, valueLen, []byte(value))
	}
	gets := func(n int) []byte { return bytes.Repeat(command(OpGet, 0, 0, 0, nil), n) }
	claim := func(count, size int) []byte { return append(AppendRunHeader(nil, 1, 1, 0, count, size), put...) }
	for name, test := range map[string]struct {
		src  []byte
		want error
	}{
		"nothing":                        {nil, nil},
		"a put":                          {runOf(1, 1, 0, 1, put), nil},
		"a registration":                 {runOf(0, 99, 0, 1, register), nil},
		"cut run header":                 {runOf(1, 1, 0, 1, put)[:RunHeaderSize-1], ErrLength},
		"cut run":                        {runOf(1, 1, 0, 1, put)[:RunHeaderSize+9], ErrLength},
		"bytes behind the last run":      {append(runOf(1, 1, 0, 1, put), 0), ErrLength},
		"no commands":                    {runOf(1, 1, 0, 0, nil), ErrField},
		"run of 2^31 bytes":              {claim(1, 1<<31), ErrLength},
		"2^31 commands":                  {claim(1<<31, len(put)), ErrField},
		"2^32-1 commands":                {claim(1<<32-1, len(put)), ErrField},
		"more commands than bytes":       {claim(2, len(put)), ErrField},
		"as many commands as there may":  {runOf(1, 1, 0, MaxRunCommands, gets(MaxRunCommands)), nil},
		"one command too many":           {runOf(1, 1, 0, MaxRunCommands+1, gets(MaxRunCommands+1)), ErrField},
		"fewer commands than announced":  {runOf(1, 1, 0, 2, command(OpPut, 0, 1, 8, []byte("k12345678"))), ErrLength},
		"run ends inside a header":       {runOf(1, 1, 0, 2, append(command(OpPut, 0, 1, 0, []byte("k")), make([]byte, 7)...)), ErrLength},
		"more commands than announced":   {runOf(1, 1, 0, 1, append(put, put...)), ErrLength},
		"key past the run":               {runOf(1, 1, 0, 1, command(OpPut, 0, MaxKey, 0, []byte("k"))), ErrLength},
		"value of 2^31 bytes":            {runOf(1, 1, 0, 1, command(OpPut, 0, 1, 1<<31, []byte("kv"))), ErrLength},
		"value of 2^32-1 bytes":          {runOf(1, 1, 0, 1, command(OpPut, 0, 1, 1<<32-1, []byte("kv"))), ErrLength},
		"value too long":                 {runOf(1, 1, 0, 1, command(OpPut, 0, 0, MaxValue+1, make([]byte, MaxValue+1))), ErrLength},
		"longest command":                {runOf(1, 1, 0, 1, command(OpPut, 0, MaxKey, MaxValue, make([]byte, MaxKey+MaxValue))), nil},
		"fragment too long":              {make([]byte, MaxBatch+1), ErrLength},
		"sequence number 0":              {runOf(1, 0, 0, 1, put), ErrField},
		"sequence numbers overflow":      {runOf(1, math.MaxUint64, 0, 2, append(put, put...)), ErrField},
		"last sequence number there is":  {runOf(1, math.MaxUint64, 0, 1, put), nil},
		"sees its own reply":             {runOf(1, 5, 5, 1, put), ErrField},
		"sees a later reply":             {runOf(1, 5, 6, 1, put), ErrField},
		"operation 0":                    {runOf(1, 1, 0, 1, command(0, 0, 0, 0, nil)), ErrField},
		"unknown operation":              {runOf(1, 1, 0, 1, command(opCount, 0, 0, 0, nil)), ErrField},
		"operation 255":                  {runOf(1, 1, 0, 1, command(255, 0, 0, 0, nil)), ErrField},
		"register inside a session":      {runOf(1, 1, 0, 1, register), ErrField},
		"put without a session":          {runOf(0, 1, 0, 1, put), ErrField},
		"compare-and-set, no session":    {runOf(0, 1, 0, 1, cas(0, 4, "\x00\x00\x00\x00")), ErrField},
		"two registrations in a run":     {runOf(0, 1, 0, 2, append(register, register...)), ErrField},
		"compare-and-set without length": {runOf(1, 1, 0, 1, cas(0, 3, "\x00\x00\x00")), ErrLength},
		"expected past the value":        {runOf(1, 1, 0, 1, cas(0, 5, "\x02\x00\x00\x00e")), ErrLength},
		"expected of 2^32-1 bytes":       {runOf(1, 1, 0, 1, cas(0, 5, "\xff\xff\xff\xffe")), ErrLength},
		"expects absence and a value":    {runOf(1, 1, 0, 1, cas(FlagExpectAbsent, 5, "\x01\x00\x00\x00e")), ErrField},
		"alike, then another size":       {runOf(1, 1, 0, 4, slices.Concat(put, put, command(OpPut, 0, 1, 4, []byte("kfour")), put)), nil},
		"alike, then a key past the run": {runOf(1, 1, 0, 3, slices.Concat(put, put, command(OpPut, 0, MaxKey, 0, []byte("kv")))), ErrLength},
		"alike, then a value past it":    {runOf(1, 1, 0, 4, slices.Concat(put, put, command(OpPut, 0, 1, 99, []byte("kv")), put)), ErrLength},
		"alike, then an unknown one":     {runOf(1, 1, 0, 3, slices.Concat(put, put, command(opCount, 0, 1, 1, []byte("kv")))), ErrField},
		"alike, then no compare-and-set": {runOf(1, 1, 0, 3, slices.Concat(put, put, command(OpCompareAndSet, 0, 1, 1, []byte("kv")))), ErrLength},
		"alike, then half a command":     {runOf(1, 1, 0, 3, slices.Concat(put, put, put[:len(put)-1])), ErrLength},
		"alike in form":                  {runAlike(1, 2, OpPut, 4, 4, make([]byte, 16)), nil},
		"one alike":                      {runAlike(1, 1, OpDelete, 8, 0, make([]byte, 8)), nil},
		"as many alike as there may":     {runAlike(1, MaxRunCommands, OpGet, 8, 0, make([]byte, 8*MaxRunCommands)), nil},
		"one alike too many":             {runAlike(1, MaxRunCommands+1, OpGet, 8, 0, make([]byte, 8*(MaxRunCommands+1))), ErrField},
		"none alike":                     {runAlike(1, 0, OpPut, 8, 8, nil), ErrField},
		"alike, none where two were":     {runAlike(1, 2, OpPut, 8, 8, nil), ErrField},
		"alike, cut":                     {runAlike(1, 2, OpPut, 8, 8, make([]byte, 31)), ErrField},
		"alike, a byte too many":         {runAlike(1, 2, OpPut, 8, 8, make([]byte, 33)), ErrField},
		"alike, shorter than a header":   {runAlike(1, 2, OpPut, 4, 3, make([]byte, 14)), ErrField},
		"alike, of no bytes":             {runAlike(1, MaxRunCommands, OpGet, 0, 0, nil), ErrField},
		"alike, cut in the header":       {runOf(1, 1, 0, 1|alike, make([]byte, 7)), ErrField},
		"alike, a value too long":        {runAlike(1, 1, OpPut, 0, MaxValue+1, make([]byte, MaxValue+1)), ErrField},
		"alike, a value of 2^32-1 bytes": {runAlike(1, 2, OpPut, 8, 1<<32-1, make([]byte, 16)), ErrField},
		"alike, the longest command":     {runAlike(1, 1, OpPut, MaxKey, MaxValue, make([]byte, MaxKey+MaxValue)), nil},
		"alike, compare-and-set":         {runAlike(1, 2, OpCompareAndSet, 4, 4, make([]byte, 16)), ErrField},
		"alike, registrations":           {runAlike(0, 1, OpRegister, 0, 8, make([]byte, 8)), ErrField},
		"alike, without a session":       {runAlike(0, 1, OpPut, 4, 4, make([]byte, 8)), ErrField},
		"alike, operation 0":             {runAlike(1, 2, 0, 4, 4, make([]byte, 16)), ErrField},
		"alike, operation 255":           {runAlike(1, 2, 255, 4, 4, make([]byte, 16)), ErrField},
		"second run bad":                 {append(runOf(1, 1, 0, 1, put), runOf(1, 0, 0, 1, put)...), ErrField},
	} {
		if err := walkFragment(test.src); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

func TestDecodeCommandRefuses(t *testing.T) {
	src := command(OpPut, 0, 2, 3, []byte("kkvvv"))
	for n := range len(src) {
		if _, _, err := DecodeCommand(src[:n]); !errors.Is(err, ErrLength) {
			t.Errorf("%d bytes of %d: %v", n, len(src), err)
		}
	}
}

// Views end where they end: what is appended to one does not run into the next.
func TestViewsHaveNoSpareCapacity(t *testing.T) {
	src := append(runOf(1, 1, 0, 1, command(OpPut, 0, 1, 1, []byte("kv"))), "behind"...)
	run, _, err := DecodeRun(src)
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := DecodeCommand(run.Commands)
	if err != nil {
		t.Fatal(err)
	}
	replies, _, err := DecodeReplyRun(append(replyOf(1), "behind"...))
	if err != nil {
		t.Fatal(err)
	}
	result, _, err := DecodeResult(append(AppendResult(nil, StatusOK, []byte("v")), "behind"...))
	if err != nil {
		t.Fatal(err)
	}
	for name, view := range map[string][]byte{"commands": run.Commands, "key": c.Key, "value": c.Value,
		"results": replies.Results, "result": result.Value} {
		if cap(view) != len(view) {
			t.Errorf("%s: %d bytes, capacity %d", name, len(view), cap(view))
		}
	}
}

func TestOpNames(t *testing.T) {
	for op, want := range map[Op]string{OpPut: "put", OpGet: "get", OpDelete: "delete", OpCompareAndSet: "cas",
		OpRegister: "register", 0: "Op(0)", opCount: "Op(6)"} {
		if got := op.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func FuzzDecodeFragment(f *testing.F) {
	f.Add(goldenRequest()[PrefixSize:])
	registration, _ := goldenRegistration()
	f.Add(registration[PrefixSize:])
	f.Add(runOf(1, 1, 0, 2, command(OpPut, 0, 1, 8, []byte("k12345678"))))
	f.Add(goldenAlike()[PrefixSize:])
	f.Fuzz(func(_ *testing.T, src []byte) { _ = walkFragment(src) })
}

// fragmentOf returns a fragment of one run of count puts with 8-byte keys and values.
func fragmentOf(count int) []byte {
	var commands []byte
	for i := range count {
		key := fmt.Appendf(nil, "%08d", i)
		commands = AppendCommand(commands, OpPut, 0, key, key)
	}
	return runOf(1, 1, 0, count, commands)
}

func TestDecodeFragmentAllocatesNothing(t *testing.T) {
	src := fragmentOf(1000)
	if allocs := testing.AllocsPerRun(100, func() {
		if err := walkFragment(src); err != nil {
			t.Fatal(err)
		}
	}); allocs != 0 {
		t.Fatalf("%v allocations for a fragment of 1000 commands", allocs)
	}
}

// BenchmarkDecodeFragment measures fragments of small puts; see ns/command.
func BenchmarkDecodeFragment(b *testing.B) {
	for _, count := range []int{1, 16, 1000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			src := fragmentOf(count)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := DecodeFragment(src); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*count), "ns/command")
		})
	}
}

// A command that is too long is never encoded as another one: a key of 65,536 bytes is not a key of none, whose bytes are the next
// commands.
func TestCommandTooLong(t *testing.T) {
	put := AppendCommand(nil, OpPut, 0, []byte("next"), []byte("command"))
	for _, tt := range []struct{ key, value int }{
		{MaxKey + 1, 1}, {1, MaxValue + 1}, {MaxKey + 1, MaxValue + 1}, {2 * (MaxKey + 1), 0}, {-1, 0}, {0, -1},
	} {
		err := CheckSize(OpPut, tt.key, tt.value)
		var size *SizeError
		if !errors.As(err, &size) || !errors.Is(err, ErrLength) || size.Key != tt.key || size.Value != tt.value {
			t.Errorf("%+v: error %v", tt, err)
		}
		commands := AppendCommandHeader(nil, OpPut, 0, tt.key, tt.value)
		for range 10 {
			commands = append(commands, put...)
		}
		for count := 1; count <= 11; count++ {
			fragment := append(AppendRunHeader(nil, 1, 1, 0, count, len(commands)), commands...)
			if _, err := DecodeFragment(fragment); err == nil {
				t.Fatalf("%+v: taken for %d commands", tt, count)
			}
		}
	}
	if err := CheckSize(OpPut, MaxKey, MaxValue); err != nil {
		t.Error(err)
	}
}
