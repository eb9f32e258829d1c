package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// walkReplies takes the body of a Reply apart the way a client does.
func walkReplies(src []byte) error {
	for len(src) > 0 {
		run, n, err := DecodeReplyRun(src)
		if err != nil {
			return err
		}
		if run.Count < 1 || run.Last() < run.First || run.Uniform && len(run.Results) != 0 {
			panic(fmt.Sprintf("decoded reply run %+v", run))
		}
		src = src[n:]
		if run.Uniform {
			continue
		}
		rest := run.Results
		for range run.Count {
			_, n, err := DecodeResult(rest)
			if err != nil {
				return err
			}
			rest = rest[n:]
		}
	}
	return nil
}

func TestRepliesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		session := SessionID(rapid.Uint64().Draw(t, "session"))
		first := Seq(rapid.Uint64Max(math.MaxUint64-MaxRunCommands).Draw(t, "first"))
		status := Status(rapid.IntRange(0, statusCount-1).Draw(t, "status"))
		count := rapid.IntRange(1, MaxRunCommands).Draw(t, "count")
		body := AppendUniformReply(nil, session, first, count, status)
		start := len(body)
		body = BeginReplyRun(body)
		results := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Result {
			return Result{Status(rapid.IntRange(0, statusCount-1).Draw(t, "status")), drawBytes(50).Draw(t, "value")}
		}), 1, 10).Draw(t, "results")
		for _, r := range results {
			body = AppendResult(body, r.Status, r.Value)
		}
		EndReplyRun(body, start, session, first, len(results))

		run, n, err := DecodeReplyRun(body)
		if err != nil || !run.Uniform || run.Status != status || run.Count != count || run.Session != session || run.First != first {
			t.Fatalf("uniform run %+v, %v", run, err)
		}
		run, m, err := DecodeReplyRun(body[n:])
		if err != nil || run.Uniform || run.Count != len(results) || run.Session != session || run.First != first || n+m != len(body) {
			t.Fatalf("run %+v, %v", run, err)
		}
		for _, want := range results {
			got, n, err := DecodeResult(run.Results)
			if err != nil || got.Status != want.Status || !bytes.Equal(got.Value, want.Value) {
				t.Fatalf("result %+v, %v; want %+v", got, err, want)
			}
			run.Results = run.Results[n:]
		}
		if len(run.Results) != 0 {
			t.Fatalf("%d bytes behind the last result", len(run.Results))
		}
	})
}

func TestDecodeReplyRunRefuses(t *testing.T) {
	uniform := func(change func(b []byte)) []byte {
		b := AppendUniformReply(nil, 1, 1, 5, StatusOK)
		change(b)
		return b
	}
	full := func(change func(b []byte)) []byte {
		b := AppendResult(BeginReplyRun(nil), StatusOK, []byte("value"))
		EndReplyRun(b, 0, 1, 1, 1)
		change(b)
		return b
	}
	put32 := func(at int, v uint32) func([]byte) {
		return func(b []byte) { binary.LittleEndian.PutUint32(b[at:], v) }
	}
	set := func(at int, v byte) func([]byte) { return func(b []byte) { b[at] = v } }
	for name, test := range map[string]struct {
		src  []byte
		want error
	}{
		"nothing":                   {nil, nil},
		"uniform":                   {uniform(func([]byte) {}), nil},
		"with results":              {full(func([]byte) {}), nil},
		"cut header":                {uniform(func([]byte) {})[:ReplyRunHeaderSize-1], ErrLength},
		"cut results":               {full(func([]byte) {})[:ReplyRunHeaderSize+3], ErrLength},
		"no answers":                {uniform(put32(16, 0)), ErrField},
		"too many answers":          {uniform(put32(16, MaxRunCommands+1)), ErrField},
		"2^31 answers":              {full(put32(16, 1<<31)), ErrField},
		"results of 2^31 bytes":     {full(put32(20, 1<<31)), ErrLength},
		"results of 2^32-1 bytes":   {full(put32(20, 1<<32-1)), ErrLength},
		"more answers than bytes":   {full(put32(16, 2)), ErrField},
		"uniform with results":      {full(set(25, 1)), ErrField},
		"neither uniform nor not":   {full(set(25, 2)), ErrField},
		"unknown uniform status":    {uniform(set(24, statusCount)), ErrField},
		"sequence numbers overflow": {uniform(func(b []byte) { binary.LittleEndian.PutUint64(b[8:], math.MaxUint64-3) }), ErrField},
		"unknown status":            {full(set(ReplyRunHeaderSize, statusCount)), ErrField},
		"value past the results":    {full(put32(ReplyRunHeaderSize+4, 6)), ErrLength},
		"value of 2^31 bytes":       {full(put32(ReplyRunHeaderSize+4, 1<<31)), ErrLength},
		"result cut in its header": {func() []byte {
			b := append(BeginReplyRun(nil), make([]byte, 8+3)...)
			EndReplyRun(b, 0, 1, 1, 1)
			put32(16, 1)(b)
			put32(ReplyRunHeaderSize+4, 4)(b)
			return b
		}(), ErrLength},
	} {
		if err := walkReplies(test.src); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	if _, _, err := DecodeResult(make([]byte, ResultHeaderSize-1)); !errors.Is(err, ErrLength) {
		t.Errorf("cut result header: %v", err)
	}
}

func TestStatusNames(t *testing.T) {
	seen := map[string]bool{}
	for status := range Status(statusCount) {
		if name := status.String(); name == "" || seen[name] {
			t.Errorf("status %d is called %q", uint8(status), name)
		} else {
			seen[name] = true
		}
		if want := status == StatusOK || status == StatusNotFound || status == StatusMismatch || status == StatusFull; status.Executed() != want {
			t.Errorf("%v executed: %v", status, status.Executed())
		}
	}
	if got := Status(statusCount).String(); got != "Status(8)" {
		t.Errorf("an unknown status is called %q", got)
	}
}

func FuzzDecodeReplies(f *testing.F) {
	f.Add(goldenReply()[PrefixSize:])
	_, registration := goldenRegistration()
	f.Add(registration[PrefixSize:])
	f.Fuzz(func(_ *testing.T, src []byte) { _ = walkReplies(src) })
}

func replyOf(count int) []byte {
	b := BeginReplyRun(nil)
	for range count {
		b = AppendResult(b, StatusOK, []byte("value000"))
	}
	EndReplyRun(b, 0, 1, 1, count)
	return b
}

func TestDecodeRepliesAllocatesNothing(t *testing.T) {
	src := append(replyOf(1000), AppendUniformReply(nil, 1, 1, 1000, StatusOK)...)
	if allocs := testing.AllocsPerRun(100, func() {
		if err := walkReplies(src); err != nil {
			t.Fatal(err)
		}
	}); allocs != 0 {
		t.Fatalf("%v allocations for 2000 replies", allocs)
	}
}

// BenchmarkDecodeReplies measures a reply run of 1000 results with values; see ns/command.
func BenchmarkDecodeReplies(b *testing.B) {
	const count = 1000
	src := replyOf(count)
	b.ReportAllocs()
	for b.Loop() {
		if err := walkReplies(src); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*count), "ns/command")
}
