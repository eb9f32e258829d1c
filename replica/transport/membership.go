package transport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"paxosbench/wire"
)

// Membership is what a replica's data directory remembers of its cluster: its id, which members it has met, and which of
// those have said that their directories have met this one. What a method records is durable when it returns. All calls
// come on the loop.
type Membership interface {
	// Cluster returns the id of the cluster, 0 as long as it is not known; SetCluster records it, once.
	Cluster() uint64
	SetCluster(cluster uint64) error

	// Founder reports whether this is the one replica that may draw the id of a new cluster.
	Founder() bool

	Met() (met, by wire.Members)
	Meet(met, by wire.Members) error
}

// The id of a cluster is drawn at random, so that a replica that reaches another cluster's port is refused there whatever
// its flags say. The founder draws it when it sees that the others know of none either: all of them, or, if some do not
// come, a majority after foundingPatience. All others learn it from whoever knows it.
//
// Who has lost its disk and was started as new all the same must not vote: it has forgotten what it voted. Its peers tell
// by what they have met. Each side records the other before its hello on the second lane goes out, and that hello says so;
// therefore a peer that has once said that it has met this replica, and comes without knowing it, has lost its directory.

// foundingPatience is how long the founder waits for members that do not come.
const foundingPatience = 3 * time.Second

// errUnnamed ends a link whose two ends do not know yet which cluster they belong to.
var errUnnamed = errors.New("neither replica knows the cluster's id yet")

// introduce settles, when a hello is otherwise in order, which cluster the two replicas belong to and that they have met.
// It reports false as long as neither knows the cluster.
func (t *Transport) introduce(h *wire.PeerHello) (settled bool, err error) {
	m := t.cfg.Membership
	if m.Cluster() == 0 {
		cluster := h.Cluster
		if cluster == 0 {
			cluster = t.found(h)
		}
		if cluster == 0 {
			return false, nil
		}
		if err := m.SetCluster(cluster); err != nil {
			return false, err
		}
		t.log.Info("this replica belongs to a cluster now", "cluster", cluster, "drawn_here", h.Cluster == 0)
	}
	met, by := wire.Members(0).With(h.From), wire.Members(0)
	if h.Met.Has(t.cfg.Self) {
		by = met
	}
	if oldMet, oldBy := m.Met(); oldMet|met == oldMet && oldBy|by == oldBy {
		return true, nil
	}
	return true, m.Meet(met, by)
}

// checkMember returns what is wrong with a peer's memory, or this replica's.
func (t *Transport) checkMember(h *wire.PeerHello) error {
	self, mine := t.cfg.Self, t.cfg.Membership.Cluster()
	met, by := t.cfg.Membership.Met()
	switch {
	case mine != 0 && h.Cluster != 0 && mine != h.Cluster:
		text := fmt.Sprintf("cluster-id: replica %d has %d, replica %d has %d", h.From, h.Cluster, self, mine)
		if by.Has(h.From) {
			text += "; " + lostText(h.From, self)
		}
		return errors.New(text)
	case by.Has(h.From) && !h.Met.Has(self):
		return errors.New(lostText(h.From, self))
	case h.MetBy.Has(self) && !met.Has(h.From):
		t.lost = true
		return errors.New(lostText(self, h.From))
	}
	return nil
}

// lostText says what to do about a replica that one of its peers remembers and that does not remember it.
func lostText(who, peer wire.ReplicaID) string {
	return fmt.Sprintf("replica %d has been a member of this cluster, and its data directory does not know replica %d: its data was lost, "+
		"and it was started as a new replica; start it with an empty data directory and --rejoin instead of --bootstrap", who, peer)
}

// found notes a member that does not know the cluster either, and returns the id of a new one if it is time to draw it, 0
// if not. A replica that the others remember never draws one. If there are some that rejoin there has been a cluster, which
// those who are missing may know: then all must have come.
func (t *Transport) found(h *wire.PeerHello) uint64 {
	t.nameless = t.nameless.With(h.From)
	seen := 1 // this one
	for id := range t.cfg.Peers {
		if t.nameless.Has(id) {
			seen++
		}
	}
	met, _ := t.cfg.Membership.Met()
	t.rejoining = t.rejoining || met.Has(t.cfg.Self) || h.Met.Has(h.From) // who rejoins has met everybody
	all := len(t.cfg.Peers) + 1
	enough := seen == all || seen > all/2 && !t.rejoining && time.Since(t.start) > foundingPatience
	if t.lost || !t.cfg.Membership.Founder() || !enough {
		return 0
	}
	return max(rand.Uint64(), 1)
}

// sayNameless logs once a second that the cluster's id is not known yet, and what is waited for.
func (t *Transport) sayNameless() {
	if len(t.cfg.Peers) == 0 || t.now-t.lastSaid < time.Second {
		return
	}
	t.lastSaid = t.now
	if t.cfg.Membership.Cluster() != 0 {
		return
	}
	var missing []wire.ReplicaID
	for id := wire.ReplicaID(1); id <= wire.MaxReplicas; id++ {
		if t.cfg.Peers[id] != "" && !t.nameless.Has(id) {
			missing = append(missing, id)
		}
	}
	waits := "the member with the smallest id to draw it, or any that knows it"
	if t.cfg.Membership.Founder() {
		waits = "the others, to draw it"
	}
	t.log.Info("the cluster's id is not known yet", "waiting_for", waits, "not_heard_from", missing)
}
