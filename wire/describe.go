package wire

import "fmt"

// String renders a message in one line, as transcripts show it: type, ballot, and the fields that this type uses.
func (m *Message) String() string {
	head := fmt.Sprintf("%v %v", m.Type, m.Ballot)
	switch m.Type {
	case TypePreVote:
		return fmt.Sprintf("%s commit %d", head, m.Commit)
	case TypePreVoteReply:
		if m.Granted() {
			return head + " granted"
		}
		return fmt.Sprintf("%s not granted, promised %v", head, m.Promised())
	case TypePrepare:
		return fmt.Sprintf("%s from slot %d", head, m.Slot)
	case TypePromise:
		return fmt.Sprintf("%s commit %d%s", head, m.Commit, describeEntries(m))
	case TypeAccept:
		return fmt.Sprintf("%s slot %d commit %d %s", head, m.Slot, m.Commit, DescribeBatch(m.Body))
	case TypeAccepted:
		return fmt.Sprintf("%s %s commit %d", head, DescribeSlots(m.Slot, m.Last()), m.Commit)
	case TypeReject:
		return fmt.Sprintf("%s, promised %v, commit %d", head, m.Promised(), m.Commit)
	case TypeHeartbeat:
		return fmt.Sprintf("%s round %d proposed %d commit %d", head, m.Round(), m.Proposed(), m.Commit)
	case TypeHeartbeatReply:
		if !m.Voting() {
			return fmt.Sprintf("%s round %d, does not vote", head, m.Round())
		}
		return fmt.Sprintf("%s round %d durable %d received %d", head, m.Round(), m.Durable(), m.Received())
	case TypeRejoinReply:
		return fmt.Sprintf("%s proposed %d", head, m.Proposed())
	case TypeDiverged:
		return fmt.Sprintf("%s after slot %d", head, m.Slot)
	}
	return describeCatchUp(m)
}

// describeCatchUp renders the messages that belong to no ballot.
func describeCatchUp(m *Message) string {
	switch {
	case m.Type == TypeFetch:
		return fmt.Sprintf("Fetch from slot %d", m.Slot)
	case m.Type == TypeEntries && m.Truncated():
		return fmt.Sprintf("Entries: none, the journal starts at slot %d", m.Slot)
	case m.Type == TypeEntries && len(m.Body) == 0:
		return fmt.Sprintf("Entries: none, commit %d", m.Commit)
	case m.Type == TypeEntries:
		return fmt.Sprintf("Entries commit %d%s", m.Commit, describeEntries(m))
	case m.Type == TypeSnapshotChunk:
		return fmt.Sprintf("%v of slots 1-%d", m.Type, m.Slot)
	}
	return m.Type.String()
}

func describeEntries(m *Message) string {
	var s []byte
	for body := m.Body; len(body) > 0; {
		e, n, err := DecodeEntry(body)
		if err != nil {
			return string(s) + " !" + err.Error()
		}
		body = body[n:]
		s = fmt.Appendf(s, ", slot %d of %v %s", e.Slot, e.Ballot, DescribeBatch(e.Body))
	}
	if m.More() {
		s = append(s, ", more to come"...)
	}
	return string(s)
}

// DescribeBatch renders a batch, of which a long one is only counted.
func DescribeBatch(body []byte) string {
	switch {
	case len(body) == 0:
		return "no-op"
	case len(body) > 20:
		return fmt.Sprintf("%d bytes of %q", len(body), body[:1])
	}
	return fmt.Sprintf("%q", body)
}

// DescribeSlots renders the slots from first to last.
func DescribeSlots(first, last Slot) string {
	if first == last {
		return fmt.Sprintf("slot %d", first)
	}
	return fmt.Sprintf("slots %d-%d", first, last)
}

// String renders a record in one line, as transcripts show it.
func (r *Record) String() string {
	switch r.Kind {
	case RecordPromise:
		return fmt.Sprintf("%v %v", r.Kind, r.Ballot)
	case RecordCommit, RecordInstalled:
		return fmt.Sprintf("%v %d", r.Kind, r.Commit)
	}
	return fmt.Sprintf("%v %v slot %d commit %d %s", r.Kind, r.Ballot, r.Slot, r.Commit, DescribeBatch(r.Body))
}
