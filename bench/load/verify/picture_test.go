package verify

import (
	"strings"
	"testing"
	"time"

	"paxosbench/bench/load/pacing"
	"paxosbench/bench/load/workload"
	"paxosbench/wire"
)

// TestIllegalHistoryIsDrawn wants a stale read among thousands of operations on a page of few, with what was done to the
// cluster and who led it; of a history with deletes as well, and with an operation that was never answered.
func TestIllegalHistoryIsDrawn(t *testing.T) {
	for _, deletes := range []bool{false, true} {
		var entries []*historyEntry
		at := time.Duration(0)
		add := func(op wire.Op, id, found workload.ValueID) {
			at += 10
			entries = append(entries, &historyEntry{Operation: workload.Operation{Op: op}, id: id, sent: at, at: at + 5, found: found, answered: true})
		}
		for i := range workload.ValueID(500) {
			add(wire.OpPut, 100+i, 0)
			add(wire.OpGet, 0, 100+i)
		}
		add(wire.OpGet, 0, 100+490) // stale
		add(wire.OpGet, 0, 100+499)
		if deletes {
			add(wire.OpDelete, 0, 0)
		}
		entries = append(entries, &historyEntry{Operation: workload.Operation{Op: wire.OpPut}, id: 7777, sent: 20, at: 0})
		v := IllegalHistory{key: 5, entries: entries, cut: pacing.Never}
		page, err := v.Draw([]Note{{Tag: "leader", Text: "replica 1 leads", At: 100}, {Tag: "done to the cluster", Text: "kill leader", At: 1100, Took: 10}})
		if err != nil {
			t.Fatal(err)
		}
		if len(v.entries) > 400 {
			t.Errorf("deletes %v: %d operations are drawn", deletes, len(v.entries))
		}
		for _, want := range []string{"<html", "kill leader", "replica 1 leads", "get: " + spellValue(100+490)} {
			if !strings.Contains(string(page), want) {
				t.Errorf("deletes %v: no %q on the page", deletes, want)
			}
		}
	}
}
