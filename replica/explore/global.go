package explore

import (
	"encoding/binary"
	"fmt"
	"slices"

	"paxosbench/replica/paxos"
	"paxosbench/wire"
)

// facts are what the invariants of the cluster look at in the state of one replica.
type facts struct {
	votes  []vote
	commit []string       // what it knows chosen, from slot 1 on
	leads  wire.Ballot    // 0: it does not
	log    []*wire.Record // of a leader: by slot, from slot 1 on, what it holds; nil: nothing
}

// factBook names facts, and remembers which combinations are in order.
type factBook struct {
	quorum2 int
	list    []facts
	names   map[string]uint32
	fine    map[[maxReplicas]uint32]bool
	key     []byte
}

func newFactBook(quorum2 int) *factBook {
	return &factBook{quorum2: quorum2, list: []facts{{}}, names: map[string]uint32{}, fine: map[[maxReplicas]uint32]bool{}}
}

// name returns the number of a state's facts.
func (b *factBook) name(l *local) uint32 {
	f := facts{votes: l.votes}
	for s := wire.Slot(1); s <= l.core.Commit(); s++ {
		f.commit = append(f.commit, string(l.core.Entry(s).Body))
	}
	if l.core.Role() == paxos.Leader {
		f.leads, f.log = l.core.Ballot(), l.log()
	}
	b.key = f.append(b.key[:0])
	name, ok := b.names[string(b.key)]
	if !ok {
		name = uint32(len(b.list))
		b.names[string(b.key)] = name
		b.list = append(b.list, f)
	}
	return name
}

func (f *facts) append(k []byte) []byte {
	for _, v := range f.votes {
		k = binary.AppendUvarint(binary.AppendUvarint(k, uint64(v.ballot)), uint64(v.slot))
		k = append(append(k, v.value...), 0)
	}
	k = append(k, 0)
	for _, value := range f.commit {
		k = append(append(k, value...), 0)
	}
	k = binary.AppendUvarint(append(k, 0xff), uint64(f.leads))
	for _, rec := range f.log {
		if rec == nil {
			k = append(k, 1)
			continue
		}
		k = append(append(k, rec.Body...), 0)
	}
	return k
}

// log returns what the replica holds for each slot: the newest record about it.
func (l *local) log() (log []*wire.Record) {
	for _, records := range [][]wire.Record{l.disk, l.pending} {
		for i := range records {
			rec := &records[i]
			if !rec.Kind.NamesSlot() {
				continue
			}
			for wire.Slot(len(log)) < rec.Slot {
				log = append(log, nil)
			}
			log[rec.Slot-1] = rec
		}
	}
	return log
}

// addVote returns the votes with one more, in order.
func addVote(votes []vote, v vote) []vote {
	at, found := slices.BinarySearchFunc(votes, v, func(a, b vote) int {
		if a.slot != b.slot {
			return int(a.slot) - int(b.slot)
		}
		return int(a.ballot) - int(b.ballot)
	})
	if found {
		return votes
	}
	return slices.Insert(slices.Clone(votes), at, v)
}

// check looks at the facts of all replicas.
func (b *factBook) check(names [maxReplicas]uint32) error {
	if b.fine[names] {
		return nil
	}
	chosen, err := b.chosen(names)
	if err != nil {
		return err
	}
	for i, name := range names {
		if err := b.list[name].check(wire.ReplicaID(i+1), chosen); err != nil {
			return err
		}
	}
	b.fine[names] = true
	return nil
}

// choice is what was chosen for a slot, and the lowest ballot in which it was.
type choice struct {
	ballot wire.Ballot
	value  string
}

// chosen counts the votes on disks: a value that a quorum has accepted in one ballot is chosen, whether anybody knows it
// or not. There is one for each slot, and one proposed in each ballot.
func (b *factBook) chosen(names [maxReplicas]uint32) (map[wire.Slot]choice, error) {
	type proposal struct {
		ballot wire.Ballot
		slot   wire.Slot
	}
	counts, values, chosen := map[proposal]int{}, map[proposal]string{}, map[wire.Slot]choice{}
	for _, name := range names {
		for _, v := range b.list[name].votes {
			p := proposal{v.ballot, v.slot}
			if before, ok := values[p]; ok && before != v.value {
				return nil, fmt.Errorf("two values are accepted for slot %d under ballot %v: %q and %q", v.slot, v.ballot, before, v.value)
			}
			values[p] = v.value
			counts[p]++
		}
	}
	for p, n := range counts {
		if n < b.quorum2 {
			continue
		}
		before, ok := chosen[p.slot]
		if ok && before.value != values[p] {
			return nil, fmt.Errorf("a second value is chosen for slot %d: %s and %s", p.slot, before, choice{p.ballot, values[p]})
		}
		if !ok || p.ballot < before.ballot {
			chosen[p.slot] = choice{p.ballot, values[p]}
		}
	}
	return chosen, nil
}

// String names the value.
func (c choice) String() string { return fmt.Sprintf("%q in ballot %v", c.value, c.ballot) }

// check: what a replica knows chosen is; and a leader holds all that was chosen before it.
func (f *facts) check(id wire.ReplicaID, chosen map[wire.Slot]choice) error {
	for i, value := range f.commit {
		s := wire.Slot(i + 1)
		c, ok := chosen[s]
		if !ok {
			return fmt.Errorf("replica %d takes slot %d for chosen, and it is not: %q", id, s, value)
		}
		if c.value != value {
			return fmt.Errorf("replica %d takes %q for chosen in slot %d, chosen is %s", id, value, s, c)
		}
	}
	if f.leads == 0 {
		return nil
	}
	for s, c := range chosen {
		if c.ballot < f.leads && (wire.Slot(len(f.log)) < s || f.log[s-1] == nil || string(f.log[s-1].Body) != c.value) {
			return fmt.Errorf("replica %d leads in ballot %v and does not hold what is chosen for slot %d: %s", id, f.leads, s, c)
		}
	}
	return nil
}
