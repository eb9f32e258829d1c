package wire

// Bulk reports whether messages of the type may be long: batches, entries, parts of promises and of snapshots. They travel
// apart from the others, on a connection of their own, so that no heartbeat, vote or acknowledgement waits behind them; it
// may overtake what was sent before it.
func (t Type) Bulk() bool {
	switch t {
	case TypeAccept, TypePromise, TypeEntries, TypeSnapshotChunk:
		return true
	}
	return false
}
