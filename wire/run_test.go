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
		rest := run.Commands
		for range run.Count {
			command, n, err := DecodeCommand(rest)
			if err != nil || n != CommandLen(rest) || !command.Op.valid() {
				panic(fmt.Sprintf("checked command %+v: %v", command, err))
			}
			if command.Op == OpCompareAndSet {
				SplitCompareAndSet(command.Value)
			}
			rest = rest[n:]
		}
		if len(rest) != 0 {
			panic(fmt.Sprintf("%d bytes behind a checked run", len(rest)))
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

func checkCommands(t *rapid.T, src []byte, want []Command) {
	for _, w := range want {
		got, n, err := DecodeCommand(src)
		if err != nil || got.Op != w.Op || got.Flags != w.Flags || !bytes.Equal(got.Key, w.Key) || !bytes.Equal(got.Value, w.Value) {
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
