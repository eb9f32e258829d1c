package explore

import (
	"encoding/binary"
	"fmt"
	"slices"

	"paxosbench/replica/paxos"
	"paxosbench/wire"
)

// event is something that happens to a replica: a kind, and what it is about.
type event uint32

// Kinds of events. Each is one call of the core, and carries out at once what the core has ready, but for the disk.
const (
	deliver event = (iota + 1) << 28 // a message, by its name
	sync                             // the oldest records become durable, so many
	tick                             // a heartbeat's time has passed, and it is looked at the clock
	silence                          // an election timeout has passed, and nobody looks at the clock
	timeout                          // every timer has run out, and it is looked at the clock
	propose                          // a leader proposes a batch
	crash                            // what is not durable is lost, and the replica starts again
	lose                             // so is what was durable
)

const (
	kindBits  = 15 << 28
	aboutBits = 1<<28 - 1
)

func (e event) kind() event   { return e & kindBits }
func (e event) about() uint32 { return uint32(e & aboutBits) }

// local is the state of one replica with its disk. It is never changed once it has a name.
type local struct {
	core    *paxos.Core
	pending []wire.Record // appended, not durable
	synced  uint64        // records of this life that are durable
	disk    []wire.Record // durable
	votes   []vote        // made durable ever, in order; those on disks that were lost count too: they may have chosen something

	lives, losses int

	// amnesiac: what it had voted is lost, and its disk is not yet that of a voter. It becomes one with so many records of
	// this life, once the core votes again (as node.Rejoin has it).
	amnesiac bool
	needed   uint64

	used, usedBefore []wire.Ballot // named in a Prepare since the disk was new; and by earlier lives

	restored uint32 // what a restart makes of the disk
	facts    uint32 // what the cluster's invariants look at
}

// vote is a durable acceptance.
type vote struct {
	ballot wire.Ballot
	slot   wire.Slot
	value  string
}

// step is an event that changes something, and what comes of it.
type step struct {
	event event
	next  uint32              // state
	sent  [maxReplicas]uint32 // for each replica the messages sent to it, as a number of replicaSpace.sends
}

// outcome is what one event comes to.
type outcome struct {
	step
	taken bool  // it is within the scope, and changes something
	err   error // an invariant that it violates
}

// replicaSpace holds the states of one replica that have been found, and what each event does to each of them.
type replicaSpace struct {
	id    wire.ReplicaID
	scope *Scope
	net   *network
	facts *factBook

	locals   []*local
	names    map[string]uint32
	outcomes map[uint64]*outcome // by state and event
	steps    map[uint64][]step   // by state and inbox
	sends    [][]uint32          // lists of messages to one replica; the first is empty
	sendBook map[string]uint32
	key      []byte
	disks    map[string]uint32 // by what a restart makes of them
}

func newReplicaSpace(id wire.ReplicaID, s *Scope, net *network, facts *factBook) *replicaSpace {
	return &replicaSpace{
		id: id, scope: s, net: net, facts: facts, names: map[string]uint32{}, outcomes: map[uint64]*outcome{}, steps: map[uint64][]step{},
		sends: [][]uint32{nil}, sendBook: map[string]uint32{"": 0}, disks: map[string]uint32{},
	}
}

// first returns the state of a replica that has never run.
func (r *replicaSpace) first() uint32 {
	l := &local{lives: 1}
	l.core = r.restart(l)
	l.restored = r.nameDisk(l)
	return r.name(l)
}

// name returns the number of a state, which it keeps the first time.
func (r *replicaSpace) name(l *local) uint32 {
	k := appendCore(r.key[:0], l.core)
	for i := range l.pending {
		k = appendRecord(k, &l.pending[i])
	}
	k = append(k, 0, byte(l.lives), byte(l.losses))
	if l.amnesiac {
		k = append(k, 1, byte(l.needed-l.synced))
	}
	l.facts = r.facts.name(l)
	for _, v := range []uint32{l.restored, l.facts} {
		k = binary.AppendUvarint(k, uint64(v))
	}
	for _, list := range [][]wire.Ballot{l.used, l.usedBefore} {
		k = append(k, byte(len(list)))
		for _, b := range list {
			k = binary.AppendUvarint(k, uint64(b))
		}
	}
	r.key = k
	if name, ok := r.names[string(k)]; ok {
		return name
	}
	name := uint32(len(r.locals))
	r.names[string(k)] = name
	l.core = clone(l.core) // without the room that it needed in between
	r.locals = append(r.locals, l)
	return name
}

func appendRecord(dst []byte, r *wire.Record) []byte {
	dst = append(dst, byte(r.Kind))
	for _, v := range []uint64{uint64(r.Ballot), uint64(r.Slot), uint64(r.Commit), uint64(len(r.Body))} {
		dst = binary.AppendUvarint(dst, v)
	}
	return append(dst, r.Body...)
}

// nameDisk tells disks apart by what a restart makes of them. The core restores record by record, so two that come to the same
// still do when both get the same records behind.
func (r *replicaSpace) nameDisk(l *local) uint32 {
	k := string(appendCore(nil, r.restart(l)))
	name, ok := r.disks[k]
	if !ok {
		name = uint32(len(r.disks))
		r.disks[k] = name
	}
	return name
}

// restart returns the core of a life that begins with what the disk holds.
func (r *replicaSpace) restart(l *local) *paxos.Core {
	core := paxos.New(r.scope.config(r.id, l.lives), birth)
	if l.amnesiac {
		core.Forget()
	}
	for i := range l.disk {
		core.Restore(&l.disk[i])
	}
	core.Ready()
	return core
}

// after returns what comes of an event in a state.
func (r *replicaSpace) after(state uint32, e event) *outcome {
	k := uint64(state)<<32 | uint64(e)
	if o := r.outcomes[k]; o != nil {
		return o
	}
	o := &outcome{step: step{event: e}}
	r.outcomes[k] = o
	r.run(state, o)
	return o
}

// run lets an event happen to a copy of a state. A panic of the core is a violation like any other.
func (r *replicaSpace) run(state uint32, o *outcome) {
	before := r.locals[state]
	defer func() {
		if p := recover(); p != nil {
			o.err = fmt.Errorf("replica %d panics: %v", r.id, p)
		}
	}()
	l := before.copy()
	if !r.happen(l, o.event) {
		return
	}
	ready := l.core.Ready()
	if o.err = r.check(before, l, o.event, ready); o.err != nil {
		return
	}
	if !r.carryOut(before, l, ready, o) {
		return
	}
	o.next = r.name(l)
	o.taken = o.next != state || o.sent != [maxReplicas]uint32{}
}

func (l *local) copy() *local {
	n := *l
	n.core = clone(l.core)
	n.pending, n.disk, n.votes = slices.Clip(l.pending), slices.Clip(l.disk), slices.Clip(l.votes)
	return &n
}

// happen makes one call of the core. It returns false if the event cannot happen.
func (r *replicaSpace) happen(l *local, e event) bool {
	now := coreTime(l.core)
	switch e.kind() {
	case deliver:
		m := r.net.messages[e.about()]
		m.Body = slices.Clone(m.Body)
		l.core.Step(now, &m)
	case sync:
		r.sync(l, int(e.about()))
	case tick:
		l.core.Tick(now + heartbeat)
	case silence:
		l.core.Step(now+electionTimeout+slack, new(wire.Message)) // no message, only the time
	case timeout:
		l.core.Tick(now + 3*electionTimeout)
	case propose:
		return r.propose(l)
	case crash, lose:
		r.die(l, e)
	}
	return true
}

// propose has a leader propose a batch that no other ballot and no other slot has.
func (r *replicaSpace) propose(l *local) bool {
	now := coreTime(l.core)
	if !l.core.CanPropose(now, true) {
		return false
	}
	text := []byte(fmt.Sprintf("%d@%v", l.core.Commit()+wire.Slot(l.core.Ahead())+1, l.core.Ballot()))
	slot := l.core.Propose(now, 1, paxos.Entry{Payload: wire.Payload{RawLen: uint32(len(text)), BodyCRC: wire.Checksum(text), Body: text}})
	return slot <= r.scope.Slots
}

// sync makes the oldest k records durable.
func (r *replicaSpace) sync(l *local, k int) {
	for i := range l.pending[:k] {
		rec := &l.pending[i]
		l.disk = append(l.disk, *rec)
		if rec.Kind == wire.RecordAccept {
			l.votes = addVote(l.votes, vote{rec.Ballot, rec.Slot, string(rec.Body)})
		}
	}
	l.pending = l.pending[k:]
	l.synced += uint64(k)
	l.core.Persisted(coreTime(l.core), l.synced)
}

// die ends a life and begins the next.
func (r *replicaSpace) die(l *local, e event) {
	l.lives++
	l.usedBefore = l.used
	if e == lose {
		l.losses++
		l.amnesiac, l.disk, l.used, l.usedBefore = true, nil, nil, nil
	}
	l.pending, l.synced, l.needed = nil, 0, 0
	l.core = r.restart(l)
}

// becomeVoter has the disk of a replica that had lost it be a voter's again, once it holds what the core knew when it voted first.
func (l *local) becomeVoter() {
	if l.needed == 0 && l.core.Voting() {
		l.needed = l.synced + uint64(len(l.pending))
	}
	l.amnesiac = l.needed == 0 || l.synced < l.needed
}

// carryOut does what the core has ready. It returns false if that leaves the scope.
func (r *replicaSpace) carryOut(before, l *local, ready *paxos.Ready, o *outcome) bool {
	for i := range ready.Records {
		if !r.scope.allowsRecord(&ready.Records[i]) {
			return false
		}
		rec := ready.Records[i]
		rec.Body = slices.Clone(rec.Body)
		l.pending = append(l.pending, rec)
	}
	if l.amnesiac {
		l.becomeVoter()
	}
	if len(l.disk) != len(before.disk) || l.amnesiac != before.amnesiac {
		l.restored = r.nameDisk(l)
	}
	var sent [maxReplicas][]uint32
	for i := range ready.Messages {
		m := &ready.Messages[i]
		if !r.scope.allows(m) {
			return false
		}
		if m.Type == wire.TypePrepare && !slices.Contains(l.used, m.Ballot) {
			l.used = append(slices.Clip(l.used), m.Ballot)
		}
		sent[m.To-1] = append(sent[m.To-1], r.net.name(m))
	}
	for i := range sent {
		o.sent[i] = r.nameSend(sent[i])
	}
	if len(ready.Fetches) > 0 || ready.Snapshot != 0 {
		panic("BUG: the scopes trim nothing, and a core asks its journal")
	}
	return true
}

// nameSend returns the number of a list of messages that one step sends to one replica.
func (r *replicaSpace) nameSend(list []uint32) uint32 {
	slices.Sort(list)
	k := ""
	for _, m := range list {
		k = string(binary.AppendUvarint([]byte(k), uint64(m)))
	}
	name, ok := r.sendBook[k]
	if !ok {
		name = uint32(len(r.sends))
		r.sendBook[k] = name
		r.sends = append(r.sends, list)
	}
	return name
}

// from returns what can happen to a replica in a state, with what was ever sent to it, as far as it changes anything.
func (r *replicaSpace) from(state, inbox uint32) ([]step, error) {
	k := uint64(state)<<32 | uint64(inbox)
	if list, ok := r.steps[k]; ok {
		return list, nil
	}
	var list []step
	for _, e := range r.events(state, inbox) {
		o := r.after(state, e)
		if o.err != nil {
			return []step{o.step}, o.err
		}
		if o.taken {
			list = append(list, o.step)
		}
	}
	r.steps[k] = list
	return list, nil
}

func (r *replicaSpace) events(state, inbox uint32) (list []event) {
	l := r.locals[state]
	for _, m := range r.net.inboxes[inbox] {
		list = append(list, deliver|event(m))
	}
	for k := 1; k <= len(l.pending); k++ {
		if r.scope.Partial || k == len(l.pending) {
			list = append(list, sync|event(k))
		}
	}
	list = append(list, tick, timeout, propose)
	if r.scope.Silence {
		list = append(list, silence)
	}
	if l.lives-1-l.losses < r.scope.Crashes {
		list = append(list, crash)
	}
	if l.losses < r.scope.LostDisks {
		list = append(list, lose)
	}
	return list
}
