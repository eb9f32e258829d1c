package pipeline

import (
	"math/bits"

	"paxosbench/wire"
)

// VoteSet is a set of replicas: bit id-1 stands for replica id. A quorum is the size of such a set, so a replica that
// answers twice is still one vote.
type VoteSet uint8

// Add puts replica id into the set. Ids that no replica can have are ignored.
func (v *VoteSet) Add(id wire.ReplicaID) {
	if id >= 1 && id <= wire.MaxReplicas {
		*v |= 1 << (id - 1)
	}
}

// Has reports whether replica id is in the set.
func (v VoteSet) Has(id wire.ReplicaID) bool {
	return id >= 1 && id <= wire.MaxReplicas && v&(1<<(id-1)) != 0
}

// Len returns the number of replicas in the set.
func (v VoteSet) Len() int { return bits.OnesCount8(uint8(v)) }
