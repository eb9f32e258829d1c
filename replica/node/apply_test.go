package node_test

import (
	"testing"

	"paxosbench/wire"
)

// TestAppliesOfARoundAreBounded: who has much to catch up with applies a bounded part of it in each round, and says that there is
// more; what else there is to do comes in between.
func TestAppliesOfARoundAreBounded(t *testing.T) {
	c := newTrio(t, false)
	c.work = 3 << 10 // two of the batches below, and a part of the third
	c.start()
	late := c.follower()
	c.lose = func(m *wire.Message) bool { return m.To == late.id }
	c.put(60, 10)
	c.lose = nil
	most, unfinished := wire.Slot(0), 0
	for range 400 {
		before := late.node.State().Applied()
		if err := late.node.Round(c.now); err != nil {
			t.Fatal(err)
		}
		most = max(most, late.node.State().Applied()-before)
		if late.node.Unfinished() {
			unfinished++
			if late.node.State().Applied() == late.node.Core().Commit() {
				t.Fatal("it says that there is more, and has applied all")
			}
			continue
		}
		c.step()
	}
	if most > 3 || unfinished < 5 {
		t.Errorf("%d slots applied in one round, %d rounds left something", most, unfinished)
	}
	c.settle()
}

// BenchmarkLargestBatch applies the batch that takes the longest: 4 MiB of the shortest commands.
func BenchmarkLargestBatch(b *testing.B) {
	n, env := newSink(b)
	command := wire.AppendCommand(nil, wire.OpDelete, 0, []byte("k"), nil)
	seq := wire.Seq(2)
	for b.Loop() {
		var fragment []byte
		commands := 0
		for wire.MaxBatch-len(fragment) > wire.RunHeaderSize+wire.MaxRunCommands*len(command) {
			fragment = wire.AppendRunHeader(fragment, wire.MakeSessionID(1, 0), seq, seq-1, wire.MaxRunCommands, wire.MaxRunCommands*len(command))
			for range wire.MaxRunCommands {
				fragment = append(fragment, command...)
			}
			seq += wire.MaxRunCommands
			commands += wire.MaxRunCommands
		}
		env.client.Window = commands
		if err := n.Request(0, env.client, fragment); err != nil {
			b.Fatal(err)
		}
	}
}
