package wire

import "testing"

// What elections, leases and acknowledgements are made of must not wait behind what may be megabytes long.
func TestBulk(t *testing.T) {
	for _, small := range []Type{
		TypePreVote, TypePreVoteReply, TypePrepare, TypeAccepted, TypeReject, TypeHeartbeat, TypeHeartbeatReply, TypeFetch, TypeSnapshotFetch,
		TypeRejoin, TypeRejoinReply, TypeDiverged,
	} {
		if small.Bulk() || small.Lane() != LaneControl {
			t.Errorf("%v travels with the bulk", small)
		}
	}
	for _, long := range []Type{TypeAccept, TypePromise, TypeEntries, TypeSnapshotChunk} {
		if !long.Bulk() || long.Lane() != LaneBulk {
			t.Errorf("%v travels with heartbeats, which would wait behind it", long)
		}
	}
}
