package replica

import (
	"fmt"

	"paxosbench/replica/journal"
	"paxosbench/replica/node"
	"paxosbench/wire"
)

// replayInto returns what the journal is to call for each of its records.
func replayInto(r *node.Recovery) func(journal.LSN, *wire.Record) error {
	return func(lsn journal.LSN, rec *wire.Record) error { return r.Replay(uint64(lsn), rec) }
}

// finish ends a recovery. An error names the data directory.
func finish(r *node.Recovery, j *journal.Journal, dir string) error {
	if err := r.Finish(j.FirstSlot()); err != nil {
		return fmt.Errorf("data directory %s: %w", dir, err)
	}
	return nil
}
