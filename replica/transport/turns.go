package transport

import "paxosbench/wire/ring"

// turns bound an iteration where clients have much to be read. Each connection is read once in it, up to Config.ReadBuffer: hundreds
// that send as fast as they can would make it as long as it takes to read hundreds of megabytes, and whoever sends a few bytes
// would be served as often as that. So when an iteration has become long, connections are read in pieces of firstRead, and a client
// that has been read much of is not read again before its turn comes: as many get theirs after each iteration as have brought
// roundBytes together the last time. (So it is with packets of queues in deficit round robin, Shreedhar and Varghese, SIGCOMM 1995.)
type turns struct {
	read    int  // in this iteration, in the measure of roundBytes
	crowded bool // an iteration was long, and not everybody has had a turn since
	waiting ring.Queue[*Client]
}

// muchRead is how much has to be read of a client for it to need a turn.
const muchRead = 32 << 10

// endTurn has a client wait for its next turn that has been read so many bytes of.
func (c *Client) endTurn(read int) {
	t := c.t
	if read < muchRead || !t.turns.crowded || !c.live() {
		return
	}
	c.turn = c.weight(read)
	if c.paused&forTurn == 0 {
		t.turns.waiting.Push(c)
	}
	c.pause(forTurn)
}

// giveTurns ends an iteration.
func (t *Transport) giveTurns() {
	q := &t.turns
	for given := 0; given < roundBytes && q.waiting.Len() > 0; {
		c := q.waiting.Pop()
		if c.live() {
			given += c.turn
			c.resume(forTurn)
		}
	}
	q.crowded = q.read >= roundBytes || q.waiting.Len() > 0
	q.read = 0
}
