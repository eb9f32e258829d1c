package transport

import (
	"container/list"
	"fmt"
	"time"

	"github.com/panjf2000/gnet/v2"

	"paxosbench/wire"
	"paxosbench/wire/secure"
)

// Client is one client connection. It belongs to the loop: nothing of it may be called or touched anywhere else.
type Client struct {
	// Out holds the frames to send at the end of the round. Call Touch, then append.
	Out []byte

	// Data is the Handler's, from ClientHello on.
	Data any

	conn
	id      uint64
	greeted bool // the ClientHello has been passed to the Handler

	idle        *list.Element // its place in the order of those that are idle
	silentSince time.Duration // when bytes last came, to within idleGrain

	dirty bool // stands in the list of clients to write at the end of the round

	gathering gathering
	queued    int    // bytes of answers that it has not taken, as accounted for
	waits     bool   // for room: Handler.Room is to be called
	listed    bool   // stands in the list of clients that unread looks at
	paused    pauses // its requests are not read
	turn      int    // what its last read weighed, while it waits for its turn
	unmoved   int    // looks since it was seen to take something
	taken     uint64 // bytes that it had taken then
}

// ID names the connection among all that this replica has had: the low half is its place, the high half says how many
// connections had that place. It is never 0. See Transport.Client.
func (c *Client) ID() uint64 { return c.id }

// RemoteAddr returns the client's address.
func (c *Client) RemoteAddr() string { return c.origin.remote }

// Identity returns who the client has proved to be, the zero Identity if nobody has to.
func (c *Client) Identity() secure.Identity { return c.origin.identity }

// Touch has the transport write Out at the end of the round, and gives Out a buffer to append to. On a closed
// connection it does nothing, Out goes nowhere, and it returns false.
func (c *Client) Touch() bool {
	if !c.live() {
		return false
	}
	if c.dirty {
		return true
	}
	c.dirty = true
	c.t.dirty = append(c.t.dirty, c)
	if c.Out == nil {
		c.Out = c.t.outs.take()
	}
	return true
}

// Refuse sends Out and a Fault with the text, and closes the connection. ClientClosed follows before the next Round.
func (c *Client) Refuse(text string) {
	c.flush()
	c.fault(FaultRefused, text)
}

// Close sends Out and closes the connection. ClientClosed follows before the next Round.
func (c *Client) Close() {
	c.flush()
	c.close()
}

// flush writes Out.
func (c *Client) flush() {
	out := c.Out
	c.Out, c.dirty = nil, false
	if len(out) > 0 && c.live() {
		c.write(out)
	}
	c.t.outs.give(out)
	c.settle()
}

// newClient prepares the endpoint for an accepted connection; it joins the loop in opened.
func newClient(t *Transport, o *origin) *Client {
	return &Client{conn: newConn(t, o, false)}
}

func (c *Client) opened(raw gnet.Conn) {
	c.open(raw)
	c.t.clients.add(c)
	c.t.idle.add(c)
}

func (c *Client) received(data []byte) {
	c.t.idle.heard(c)
	c.feed(data, c)
	c.notePartial()
	c.endTurn(len(data) + c.inPlace)
}

func (c *Client) closed() {
	c.detach()
	c.account()
	c.t.partials.leave(c)
	c.t.clients.remove(c)
	c.t.idle.remove(c)
	c.t.clientPlaces.give()
	if c.greeted {
		c.t.note(c)
	}
}

func (c *Client) admit(h wire.Header) error {
	switch h.Type {
	case wire.TypeRequest, wire.TypeQuery:
		if c.greeted {
			return checkBodyLen(h, wire.MaxBatch)
		}
	case wire.TypeClientHello:
		if !c.greeted {
			return checkBodyLen(h, 0)
		}
	case wire.TypeFault:
		return checkBodyLen(h, wire.MaxText)
	case wire.TypePeerHello:
		return fmt.Errorf("%w: %v on the port for clients, check the peer addresses", errUnexpected, h.Type)
	}
	return unexpected(h.Type, c.greeted)
}

func (c *Client) frame(h wire.Header, header, body []byte) error {
	switch h.Type {
	case wire.TypeRequest:
		if err := c.t.handler.Request(c, body); err != nil {
			c.fault(FaultRequest, err.Error())
		}
	case wire.TypeQuery:
		if err := c.t.handler.Query(c, body); err != nil {
			c.fault(FaultRequest, err.Error())
		}
	case wire.TypeClientHello:
		c.greeted = true
		c.t.handler.ClientHello(c, wire.DecodeClientHello(header))
	case wire.TypeFault:
		c.t.log.Debug("client reports a fault", "client", c.origin.remote, "text", string(body))
		c.close()
	}
	if !c.live() {
		return errStopped
	}
	return nil
}

// clientTable finds the open clients by id: the low half is an index, the high half the generation of that place.
type clientTable struct {
	places []clientPlace
	free   []uint32
	open   int
}

type clientPlace struct {
	generation uint32
	client     *Client
}

func (t *clientTable) add(c *Client) {
	if len(t.free) == 0 {
		t.free = append(t.free, uint32(len(t.places)))
		t.places = append(t.places, clientPlace{})
	}
	index := t.free[len(t.free)-1]
	t.free = t.free[:len(t.free)-1]
	place := &t.places[index]
	place.generation++
	place.client = c
	c.id = uint64(place.generation)<<32 | uint64(index)
	t.open++
}

func (t *clientTable) remove(c *Client) {
	index := uint32(c.id)
	t.places[index].client = nil
	t.free = append(t.free, index)
	t.open--
}

// find returns the open client with that id, nil if there is none.
func (t *clientTable) find(id uint64) *Client {
	index, generation := uint32(id), uint32(id>>32)
	if uint64(index) >= uint64(len(t.places)) || t.places[index].generation != generation {
		return nil
	}
	return t.places[index].client
}

// outBuffers is the free list of buffers for Client.Out: only clients with output in the present round hold one.
type outBuffers struct {
	most  int // bytes of capacity on the free list
	free  [][]byte
	spare int // the fewest that have been free since trim
	kept  int // bytes of capacity on the free list
}

func (o *outBuffers) take() []byte {
	if len(o.free) == 0 {
		return nil
	}
	b := o.free[len(o.free)-1]
	o.free[len(o.free)-1] = nil
	o.free = o.free[:len(o.free)-1]
	o.kept -= cap(b)
	o.spare = min(o.spare, len(o.free))
	return b
}

func (o *outBuffers) give(b []byte) {
	if cap(b) == 0 || o.kept+cap(b) > o.most {
		return
	}
	o.free = append(o.free, b[:0])
	o.kept += cap(b)
}

// trim leaves to the collector what nobody has taken since the last time: the oldest, which are at the bottom.
func (o *outBuffers) trim() {
	for _, b := range o.free[:o.spare] {
		o.kept -= cap(b)
	}
	left := copy(o.free, o.free[o.spare:])
	clear(o.free[left:])
	o.free, o.spare = o.free[:left], left
}
