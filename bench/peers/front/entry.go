package front

import (
	"encoding/binary"
	"fmt"
	"time"

	"paxosbench/wire"
)

// An entry is what the Core replicates: a ticket, by which the node that has proposed it knows it again, and a batch of runs as
// in our own log. An entry without a ticket announces where the clients of a leader connect: its id, and the address.
const ticketSize = 8

func appendTicket(dst []byte, ticket uint64) []byte {
	return binary.LittleEndian.AppendUint64(dst, ticket)
}

// splitEntry returns an entry's ticket, 0 if it has none, and what follows it.
func splitEntry(entry []byte) (ticket uint64, body []byte, err error) {
	if len(entry) < ticketSize {
		return 0, nil, fmt.Errorf("entry of %d bytes", len(entry))
	}
	return binary.LittleEndian.Uint64(entry), entry[ticketSize:], nil
}

// TicketOf returns the ticket of an entry, which Failed wants to know.
func TicketOf(entry []byte) uint64 { return binary.LittleEndian.Uint64(entry) }

func announcement(id wire.ReplicaID, addr string) []byte {
	return append(append(appendTicket(nil, 0), byte(id)), addr...)
}

// appendRun appends a run. A registration gets the stamp that our own replica gives it.
func (l *leadership) appendRun(dst []byte, run *wire.Run) []byte {
	if run.Session != 0 {
		return append(run.AppendHeader(dst, run.Count, len(run.Commands)), run.Commands...)
	}
	dst = wire.AppendRunHeader(dst, 0, run.First, run.Seen, 1, wire.CommandHeaderSize+wire.StampSize)
	dst = wire.AppendCommandHeader(dst, wire.OpRegister, 0, 0, wire.StampSize)
	return wire.AppendStamp(dst, wire.Stamp{Random: random(), Term: l.stamp, At: time.Since(l.since)})
}
