package replica

import (
	"runtime/debug"
	"testing"

	"paxosbench/wire"
)

// The limit of the heap leaves room for what comes on top of --memory, and follows it.
func TestHeapLimit(t *testing.T) {
	cfg := Default()
	cfg.Memory, cfg.LogBytes, cfg.PipelineBytes = 256<<20, 8<<20, 4<<20
	const small = 192<<20 + 32<<20 + 2*(8<<20+2*4<<20)
	for _, tt := range []struct {
		clients, state int
		tls            string
		want           int64
	}{
		{want: small},
		{clients: 1000, want: small + 2*1000*16<<10},
		{state: 1 << 30, want: small + 3<<30},
		{clients: 1000, tls: "somewhere", want: small + 32<<20 + 2*1000*48<<10},
	} {
		cfg.TLS = tt.tls
		if got := cfg.heapLimit(tt.clients, tt.state); got != tt.want {
			t.Errorf("%d clients, %d bytes of state: %d, want %d", tt.clients, tt.state, got, tt.want)
		}
	}
}

// A replica within another program leaves the heap alone, and so does one whose process has been given a limit.
func TestHeapOfOthers(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	cfg := Default()
	l := &loop{cfg: &cfg, buffers: &wire.Buffers{}}
	l.limitHeap(0)
	if now := debug.SetMemoryLimit(-1); now != before {
		t.Errorf("the limit was %d and is %d", before, now)
	}
	const given = 7 << 30
	debug.SetMemoryLimit(given)
	cfg.OwnProcess = true
	l.limitHeap(0)
	if now := debug.SetMemoryLimit(-1); now != given || !l.heap.given {
		t.Errorf("the limit was given as %d and is %d", given, now)
	}
}
