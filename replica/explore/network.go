package explore

import (
	"encoding/binary"
	"fmt"
	"slices"

	"paxosbench/wire"
)

// network names the messages of a scope and the sets of them that were ever sent to one replica.
type network struct {
	messages []wire.Message
	names    map[string]uint32 // by their contents

	inboxes [][]uint32        // messages in the order of their names; the first is empty
	known   map[string]uint32 // by their contents
	added   map[[2]uint32]uint32
	key     []byte
}

func newNetwork() *network {
	return &network{names: map[string]uint32{}, inboxes: [][]uint32{nil}, known: map[string]uint32{"": 0}, added: map[[2]uint32]uint32{}}
}

// name returns the number of a message, which it copies the first time.
func (n *network) name(m *wire.Message) uint32 {
	k := wire.AppendMessageHeader(append(n.key[:0], byte(m.From), byte(m.To)), m)
	k = append(k, m.Body...)
	n.key = k
	if name, ok := n.names[string(k)]; ok {
		return name
	}
	name := uint32(len(n.messages))
	n.names[string(k)] = name
	copied := *m
	copied.Body = slices.Clone(m.Body)
	n.messages = append(n.messages, copied)
	return name
}

// add returns the inbox that holds what one holds and one message more.
func (n *network) add(inbox, message uint32) (uint32, error) {
	step := [2]uint32{inbox, message}
	if next, ok := n.added[step]; ok {
		return next, nil
	}
	held := n.inboxes[inbox]
	at, found := slices.BinarySearch(held, message)
	if found {
		n.added[step] = inbox
		return inbox, nil
	}
	next := slices.Insert(slices.Clone(held), at, message)
	k := n.key[:0]
	for _, m := range next {
		k = binary.AppendUvarint(k, uint64(m))
	}
	n.key = k
	number, ok := n.known[string(k)]
	if !ok {
		if err := n.checkProposals(held, message); err != nil {
			return 0, err
		}
		number = uint32(len(n.inboxes))
		n.known[string(k)] = number
		n.inboxes = append(n.inboxes, next)
	}
	n.added[step] = number
	return number, nil
}

// checkProposals: a ballot proposes one value for a slot. Inboxes hold all that was ever sent, so it is enough to look at them.
func (n *network) checkProposals(held []uint32, message uint32) error {
	m := &n.messages[message]
	if m.Type != wire.TypeAccept {
		return nil
	}
	for _, h := range held {
		o := &n.messages[h]
		if o.Type == wire.TypeAccept && o.Ballot == m.Ballot && o.Slot == m.Slot && !o.Same(&m.Payload) {
			return fmt.Errorf("replica %d proposes a second value for slot %d under ballot %v: %q after %q", m.From, m.Slot, m.Ballot, m.Body, o.Body)
		}
	}
	return nil
}
