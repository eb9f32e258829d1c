package machine

// Stats counts what became of the commands of all batches, the same on all replicas.
type Stats struct {
	Executed   uint64 `json:"executed"`   // commands executed for the first time, reads included
	Reads      uint64 `json:"reads"`      // gets among them
	NotFound   uint64 `json:"not_found"`  // deletes among them that found no key
	Mismatch   uint64 `json:"mismatch"`   // compare-and-sets among them that found another value
	Duplicates uint64 `json:"duplicates"` // commands sent again and answered from memory
	Forgotten  uint64 `json:"forgotten"`  // commands sent again although their replies had been confirmed
	Gaps       uint64 `json:"gaps"`       // commands refused because an earlier one was missing
	Busy       uint64 `json:"busy"`       // commands refused because the session was too far ahead of its confirmed replies
	Stale      uint64 `json:"stale"`      // commands of sessions that did not exist, or not any more
	Registered uint64 `json:"registered"` // sessions opened
	Evictions  uint64 `json:"evictions"`  // sessions closed to make room
	Refused    uint64 `json:"refused"`    // registrations for which there was none
	Full       uint64 `json:"full"`       // puts and compare-and-sets among the executed for which the store had none
}

const statsFields = 13

// fields lists the counts in the order in which they are hashed and stored.
func (s *Stats) fields() [statsFields]*uint64 {
	return [statsFields]*uint64{
		&s.Executed, &s.Reads, &s.NotFound, &s.Mismatch, &s.Duplicates, &s.Forgotten,
		&s.Gaps, &s.Busy, &s.Stale, &s.Registered, &s.Evictions, &s.Refused, &s.Full,
	}
}
