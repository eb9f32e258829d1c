package loop

import "paxosbench/wire"

// Report is what a loop has noticed.
type Report struct {
	Counters Counters
	// Leader is the node that leads, as far as the connections know; 0: they do not.
	Leader wire.ReplicaID
	// Granted is the smallest window of an open connection; 0: none is open, or there is no limit.
	Granted int
	// Violations describe the first few answers that the protocol forbids.
	Violations []string
}

// Counters count what a loop has seen since it was made. What a system does not have stays 0.
type Counters struct {
	Connects       int64 // connections established
	Disconnects    int64 // established connections lost, for whatever reason
	Stalls         int64 // of Disconnects: given up after a time of silence
	DialFailures   int64 // attempts that did not get as far as a connection that can be used
	Redirects      int64 // attempts that were sent elsewhere
	Busy           int64 // operations refused for lack of room
	Gaps           int64 // operations refused because an earlier one was missing
	Resent         int64 // operations sent again, for whatever reason
	Duplicates     int64 // answers to operations already answered
	CorruptFrames  int64 // frames that were damaged; each costs the connection
	LostSessions   int64 // sessions that had to register anew
	Violations     int64 // answers that the protocol forbids
	BytesSent      int64
	BytesReceived  int64
	FramesSent     int64
	FramesReceived int64
}

// Add adds o to c, field by field.
func (c *Counters) Add(o *Counters) { c.combine(o, 1) }

// Sub subtracts o from c, field by field.
func (c *Counters) Sub(o *Counters) { c.combine(o, -1) }

func (c *Counters) combine(o *Counters, sign int64) {
	c.Connects += sign * o.Connects
	c.Disconnects += sign * o.Disconnects
	c.Stalls += sign * o.Stalls
	c.DialFailures += sign * o.DialFailures
	c.Redirects += sign * o.Redirects
	c.Busy += sign * o.Busy
	c.Gaps += sign * o.Gaps
	c.Resent += sign * o.Resent
	c.Duplicates += sign * o.Duplicates
	c.CorruptFrames += sign * o.CorruptFrames
	c.LostSessions += sign * o.LostSessions
	c.Violations += sign * o.Violations
	c.BytesSent += sign * o.BytesSent
	c.BytesReceived += sign * o.BytesReceived
	c.FramesSent += sign * o.FramesSent
	c.FramesReceived += sign * o.FramesReceived
}
