package paxos

import (
	"fmt"
	"strings"

	"paxosbench/wire"
)

// describeHistory renders what was applied behind the first so many slots.
func describeHistory(history []Entry, applied wire.Slot) string {
	var batches []string
	for i := range history[applied:] {
		batches = append(batches, wire.DescribeBatch(history[int(applied)+i].Body))
	}
	return fmt.Sprintf("%s: %s", wire.DescribeSlots(applied+1, wire.Slot(len(history))), strings.Join(batches, " "))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
