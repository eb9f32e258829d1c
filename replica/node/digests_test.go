package node

import (
	"testing"

	"paxosbench/wire"
)

func TestDigestsAreOfTheirSlots(t *testing.T) {
	d := newDigests(4)
	if _, ok := d.at(0); ok {
		t.Error("a digest of nothing")
	}
	for s := wire.Slot(1); s <= 10; s++ {
		d.note(s, uint64(s)*7)
	}
	for s := wire.Slot(0); s <= 12; s++ {
		if got, ok := d.at(s); ok != (s >= 7 && s <= 10) || ok && got != uint64(s)*7 {
			t.Errorf("slot %d: %d, %v", s, got, ok)
		}
	}
	d.note(20, 1) // a snapshot
	for s := wire.Slot(0); s <= 30; s++ {
		if _, ok := d.at(s); ok != (s == 20) {
			t.Errorf("after a snapshot of slot 20, slot %d: %v", s, ok)
		}
	}
}
