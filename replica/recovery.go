package replica

import (
	"fmt"

	"paxosbench/replica/journal"
	"paxosbench/replica/node"
	"paxosbench/replica/paxos"
)

// replayInto returns what the journal is to call for each of its records.
func replayInto(r *node.Recovery) func(journal.LSN, *journal.Record) error {
	return func(lsn journal.LSN, rec *journal.Record) error {
		return r.Replay(uint64(lsn), &paxos.Record{
			Kind: paxos.RecordKind(rec.Kind), Ballot: rec.Ballot, Slot: rec.Slot, Commit: rec.Commit,
			Codec: rec.Codec, RawLen: rec.RawLen, BodyCRC: rec.BodyCRC, Body: rec.Body,
		})
	}
}

// finish ends a recovery. An error names the data directory.
func finish(r *node.Recovery, j *journal.Journal, dir string) error {
	if err := r.Finish(j.FirstSlot()); err != nil {
		return fmt.Errorf("data directory %s: %w", dir, err)
	}
	return nil
}
