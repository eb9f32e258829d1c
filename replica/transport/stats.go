package transport

// Stats counts what the transport has done since it started. Clients, Peers and Forwarded are present figures.
type Stats struct {
	Clients   int `json:"clients"`   // open client connections
	Peers     int `json:"peers"`     // peers that are connected, by both lanes
	Forwarded int `json:"forwarded"` // client connections that are handed on to the leader

	Rounds   uint64 `json:"rounds"`
	Reads    uint64 `json:"reads"` // reads that brought bytes
	BytesIn  uint64 `json:"bytes_in"`
	FramesIn uint64 `json:"frames_in"` // whole frames with a right checksum
	Writes   uint64 `json:"writes"`    // writes and vectored writes; what a full socket makes the loop write later is not counted again
	BytesOut uint64 `json:"bytes_out"`

	DroppedSends uint64             `json:"dropped_sends"` // messages that Send did not take
	Faults       [FaultCount]uint64 `json:"faults"`        // connections that the transport closed, by reason
}

// Stats returns the counters as they stood at the end of the last round. Any goroutine may call it.
func (t *Transport) Stats() Stats {
	t.mu.Lock()
	s := t.published
	t.mu.Unlock()
	s.Faults[FaultFull] = t.full.Load()
	s.Faults[FaultIdentity] += t.refused.Load()
	s.Forwarded = int(t.forwarded.Load())
	return s
}

// publish copies the loop's counters to where Stats finds them.
func (t *Transport) publish() {
	t.stats.Clients = t.clients.open
	t.stats.Peers = 0
	for i := range t.peers {
		if t.peers[i].up() {
			t.stats.Peers++
		}
	}
	t.mu.Lock()
	t.published = t.stats
	t.mu.Unlock()
}
