package explore

import (
	"errors"
	"fmt"
	"slices"

	"paxosbench/replica/paxos"
	"paxosbench/wire"
)

// Move is a part of the way to where a walk begins: an event of one replica, and then all that comes of it at some others: what it and
// they send reaches them, and their disks sync. Nothing reaches anybody else, and what was sent before does not arrive.
type Move struct {
	event   event
	replica wire.ReplicaID
	among   []wire.ReplicaID
}

// Elect has the first replica elected by itself and the others.
func Elect(among ...wire.ReplicaID) Move { return Move{timeout, among[0], among} }

// Put has the first replica, which leads, be given a batch, and propose it to the others.
func Put(among ...wire.ReplicaID) Move { return Move{propose, among[0], among} }

// Send is the same, but nothing comes back to the leader, and its disk does not sync.
func Send(leader wire.ReplicaID, to ...wire.ReplicaID) Move { return Move{propose, leader, to} }

// Beat lets a heartbeat's time pass for the first replica: a leader begins a round, one without a vote asks for it again.
func Beat(among ...wire.ReplicaID) Move { return Move{tick, among[0], among} }

// Lose has a replica lose its disk.
func Lose(id wire.ReplicaID) Move { return Move{event: lose, replica: id} }

// Crash has a replica crash.
func Crash(id wire.ReplicaID) Move { return Move{event: crash, replica: id} }

// begin goes to the state in which the walk begins. It returns false if that violates an invariant.
func (s *search) begin() bool {
	var first state
	for i, r := range s.replicas {
		first[i] = r.first()
	}
	s.prefix = []state{first}
	for _, m := range s.scope.Begin {
		if !s.begins(m) {
			return false
		}
	}
	if len(s.scope.Begin) > 0 {
		s.lose()
	}
	return true
}

// lose has the messages of the way to the beginning be lost, but for those that come late.
func (s *search) lose() {
	at := s.prefix[len(s.prefix)-1]
	for i := range s.replicas {
		var late []uint32
		for _, m := range s.net.inboxes[at[maxReplicas+i]] {
			if slices.Contains(s.scope.Late, s.net.messages[m].Type) {
				late = append(late, m)
			}
		}
		at[maxReplicas+i] = 0
		for _, m := range late {
			at[maxReplicas+i], _ = s.net.add(at[maxReplicas+i], m) // they have been in one inbox before
		}
	}
	s.prefix = append(s.prefix, at)
}

// begins has one of the moves happen. Who is to vote for another must have heard nothing of an earlier leader for some time.
func (s *search) begins(m Move) bool {
	i := int(m.replica - 1)
	for _, id := range m.among {
		at := s.prefix[len(s.prefix)-1]
		if r := s.replicas[id-1]; m.event == timeout && id != m.replica && r.after(at[id-1], silence).taken && !s.move(int(id-1), silence, map[event]bool{}) {
			return false
		}
	}
	came := map[event]bool{}
	for _, inbox := range s.prefix[len(s.prefix)-1][maxReplicas:] {
		for _, message := range s.net.inboxes[inbox] {
			came[deliver|event(message)] = true
		}
	}
	if !s.move(i, m.event, came) || !s.settle(m, came) {
		return false
	}
	at := s.prefix[len(s.prefix)-1]
	if m.event == timeout && s.replicas[i].locals[at[i]].core.Role() != paxos.Leader {
		panic(fmt.Sprintf("BUG: scope %s: replica %d is not elected on the way to its beginning", s.scope.Name, m.replica))
	}
	return true
}

// move has an event happen on the way to the beginning. What it sends has not come, even if the same was sent before.
func (s *search) move(i int, e event, came map[event]bool) bool {
	at := s.prefix[len(s.prefix)-1]
	o := s.replicas[i].after(at[i], e)
	if o.err == nil && !o.taken && e == tick {
		return true // nothing was due
	}
	if o.err == nil && !o.taken {
		panic(fmt.Sprintf("BUG: scope %s: an event on the way to its beginning does not happen: %d %s", s.scope.Name, i+1, s.net.describe(e)))
	}
	next, _, err := s.after(at, i, &o.step)
	if err = errors.Join(o.err, err); err != nil {
		s.prefix = append(s.prefix, at)
		return s.violated(0, i, e, err)
	}
	s.prefix = append(s.prefix, next)
	came[e] = e.kind() == deliver
	for _, send := range o.sent {
		for _, message := range s.replicas[i].sends[send] {
			came[deliver|event(message)] = false
		}
	}
	return true
}

// maxSettling is how many events a Move may come to.
const maxSettling = 1000

// settle delivers what the replicas of a move have sent each other, each message once and not what came before, and syncs their disks,
// until nothing is left.
func (s *search) settle(m Move, came map[event]bool) bool {
	for range maxSettling {
		i, e, err := s.unsettled(m, came)
		switch {
		case err != nil:
			s.prefix = append(s.prefix, s.prefix[len(s.prefix)-1])
			return s.violated(0, i, e, err)
		case e == 0:
			return true
		case !s.move(i, e, came):
			return false
		}
	}
	panic(fmt.Sprintf("BUG: scope %s: what is sent on the way to its beginning does not come to an end", s.scope.Name))
}

// unsettled returns an event that settle has happen next, and to which replica; no event if there is none.
func (s *search) unsettled(m Move, came map[event]bool) (int, event, error) {
	at := s.prefix[len(s.prefix)-1]
	for _, id := range m.among {
		i := int(id - 1)
		steps, err := s.replicas[i].from(at[i], at[maxReplicas+i])
		if err != nil {
			return i, steps[0].event, err
		}
		for j := range steps {
			e := steps[j].event
			if !came[e] && s.settles(e, m) {
				return i, e, nil
			}
		}
	}
	return 0, 0, nil
}

// settles reports whether an event is the arrival of a message from one of the replicas, or a sync.
func (s *search) settles(e event, m Move) bool {
	if e.kind() != deliver {
		return e.kind() == sync
	}
	from := s.net.messages[e.about()].From
	return from == m.replica || slices.Contains(m.among, from)
}
