package paxos

import (
	"fmt"
	"strings"

	"paxosbench/wire"
)

// describe renders a message in one line, as transcripts show it: type, ballot, and the fields that this type uses.
func describe(m *wire.Message) string {
	head := fmt.Sprintf("%v %v", m.Type, m.Ballot)
	switch m.Type {
	case wire.TypePreVote:
		return fmt.Sprintf("%s commit %d", head, m.Commit)
	case wire.TypePreVoteReply:
		if m.Granted() {
			return head + " granted"
		}
		return fmt.Sprintf("%s not granted, promised %v", head, m.Promised())
	case wire.TypePrepare:
		return fmt.Sprintf("%s from slot %d", head, m.Slot)
	case wire.TypePromise:
		return fmt.Sprintf("%s commit %d%s", head, m.Commit, describeEntries(m))
	case wire.TypeAccept:
		return fmt.Sprintf("%s slot %d commit %d %s", head, m.Slot, m.Commit, describeBatch(m.Body))
	case wire.TypeAccepted:
		return fmt.Sprintf("%s %s commit %d", head, describeSlots(m.Slot, m.Last()), m.Commit)
	case wire.TypeReject:
		return fmt.Sprintf("%s, promised %v, commit %d", head, m.Promised(), m.Commit)
	case wire.TypeHeartbeat:
		return fmt.Sprintf("%s round %d proposed %d commit %d", head, m.Round(), m.Proposed(), m.Commit)
	case wire.TypeHeartbeatReply:
		return fmt.Sprintf("%s round %d durable %d received %d", head, m.Round(), m.Durable(), m.Received())
	case wire.TypeRejoinReply:
		return fmt.Sprintf("%s proposed %d", head, m.Proposed())
	}
	return describeCatchUp(m)
}

// describeCatchUp renders the messages that belong to no ballot.
func describeCatchUp(m *wire.Message) string {
	switch {
	case m.Type == wire.TypeFetch:
		return fmt.Sprintf("Fetch from slot %d", m.Slot)
	case m.Type == wire.TypeEntries && m.Truncated():
		return fmt.Sprintf("Entries: none, the journal starts at slot %d", m.Slot)
	case m.Type == wire.TypeEntries && len(m.Body) == 0:
		return fmt.Sprintf("Entries: none, commit %d", m.Commit)
	case m.Type == wire.TypeEntries:
		return fmt.Sprintf("Entries commit %d%s", m.Commit, describeEntries(m))
	case m.Type == wire.TypeSnapshotChunk:
		return fmt.Sprintf("%v of slots 1-%d", m.Type, m.Slot)
	}
	return m.Type.String()
}

func describeEntries(m *wire.Message) string {
	s := ""
	for body := m.Body; len(body) > 0; {
		e, n, err := wire.DecodeEntry(body)
		if err != nil {
			return s + " !" + err.Error()
		}
		body = body[n:]
		s += fmt.Sprintf(", slot %d of %v %s", e.Slot, e.Ballot, describeBatch(e.Body))
	}
	if m.More() {
		s += ", more to come"
	}
	return s
}

func describeBatch(body []byte) string {
	switch {
	case len(body) == 0:
		return "no-op"
	case len(body) > 20:
		return fmt.Sprintf("%d bytes of %q", len(body), body[:1])
	}
	return fmt.Sprintf("%q", body)
}

func describeSlots(first, last wire.Slot) string {
	if first == last {
		return fmt.Sprintf("slot %d", first)
	}
	return fmt.Sprintf("slots %d-%d", first, last)
}

func describeRecord(r *wire.Record) string {
	if r.Kind == wire.RecordPromise {
		return fmt.Sprintf("promise %v", r.Ballot)
	}
	kind := map[wire.RecordKind]string{wire.RecordAccept: "accept", wire.RecordChosen: "decide"}[r.Kind]
	return fmt.Sprintf("%s %v slot %d commit %d %s", kind, r.Ballot, r.Slot, r.Commit, describeBatch(r.Body))
}

// describeHistory renders what was applied behind the first so many slots.
func describeHistory(history []Entry, applied wire.Slot) string {
	var batches []string
	for i := range history[applied:] {
		batches = append(batches, describeBatch(history[int(applied)+i].Body))
	}
	return fmt.Sprintf("%s: %s", describeSlots(applied+1, wire.Slot(len(history))), strings.Join(batches, " "))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
