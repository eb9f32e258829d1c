package node

import (
	"errors"
	"time"

	"paxosbench/batching"
	"paxosbench/replica/machine"
	"paxosbench/wire"
)

// defaultPendingBytes is the default of Config.PendingBytes.
const defaultPendingBytes = 64 << 20

// Client is what a node keeps of a client's connection. The driver holds it for as long as the connection lasts.
type Client struct {
	Origin   batching.Origin // names the connection among all that this replica has had; not 0
	Window   int             // commands and reads that it may have in flight, as it was granted
	InFlight int             // that are admitted and not answered yet
	Owner    uint64          // who it is, if clients have to prove that; else 0

	cost  int   // of those in flight, about: it is not known what each is
	aside aside // queries for whose answers it has no room

	registrations quota
}

// Answered notes that so many of the commands and reads in flight have been answered.
func (c *Client) Answered(count int) {
	if c.InFlight > 0 {
		c.cost -= int(int64(c.cost) * int64(count) / int64(c.InFlight))
	}
	c.InFlight -= count
}

// Forgotten notes that nothing is in flight any more: leadership was lost.
func (c *Client) Forgotten() { c.cost, c.InFlight = 0, 0 }

// NewClient returns the state of a new connection that asks for a window of a size, 0 for the largest there is. What it
// is granted is what it is held to.
func (n *Node) NewClient(origin batching.Origin, asked uint32) *Client {
	window := n.cfg.ClientWindow
	if asked != 0 {
		window = min(window, int(asked))
	}
	return &Client{Origin: origin, Window: window}
}

// Request takes a fragment of commands from a client: it is copied into the open batch, refused for now, or the client is
// sent to the leader. An error says that it is no fragment: the connection is to be closed.
func (n *Node) Request(now time.Duration, c *Client, fragment []byte) error {
	info, err := wire.DecodeFragment(fragment)
	if err != nil {
		return err
	}
	if info.Registrations > 0 || n.cfg.Owners {
		if fragment, info, err = n.sift(now, c, fragment, info); err != nil || fragment == nil {
			return err
		}
	}
	switch {
	case !n.admit(c, fragment, info.Commands, costOf(n.builder.Pending()), wire.TypeReply):
	case n.cfg.Unreplicated:
		n.applyDirectly(c.Origin, fragment, info)
	default:
		n.builder.Add(fragment, info, c.Origin, now)
	}
	return nil
}

// Query takes a fragment of reads that are not to go through the log, as Request takes one of commands.
func (n *Node) Query(c *Client, fragment []byte) error {
	if n.cfg.Reads == wire.ReadsLog {
		return errors.New("this cluster serves gets through the log, as commands; see --reads")
	}
	info, err := wire.DecodeFragment(fragment)
	if err != nil {
		return err
	}
	if err := machine.CheckQuery(fragment); err != nil {
		return err
	}
	if n.admit(c, fragment, info.Commands, costOf(n.queries.gets, n.queries.bytes), wire.TypeQueryReply) {
		n.queries.push(c, append(n.cfg.Paxos.Buffers.Get(len(fragment)), fragment...), info.Commands)
	}
	return nil
}

// costOf is what commands or reads count as that wait: their bytes, and for each what it takes to apply it. For what waits is time as well as
// memory, and a thousand small commands take longer than one of as many bytes.
func costOf(commands, bytes int) int { return bytes + applyCommand*commands }

// admit decides on a checked fragment: whether the connection's window and the bound of what waits have room for it, on a
// replica that takes commands. waiting is the cost of what waits already. A fragment that is not admitted is answered here.
func (n *Node) admit(c *Client, fragment []byte, commands, waiting int, kind wire.Type) bool {
	switch {
	case !n.Leads():
		n.driver.Redirect(c.Origin)
		return false
	case c.InFlight+commands > c.Window || !n.hasRoom(c, waiting):
		n.stats.Busy += uint64(commands)
		n.refuse(c, fragment, kind, wire.StatusBusy)
		return false
	}
	c.InFlight += commands
	c.cost += costOf(commands, len(fragment))
	return true
}

// pendingShare is the part of the memory left for what waits that one client may take once half of it is taken.
const pendingShare = 8

// hasRoom reports whether there is room for more of what waits, of which there is some already. When it becomes short
// nobody may have more in flight than a share of what is left: there is something for everybody, however much one sends.
func (n *Node) hasRoom(c *Client, waiting int) bool {
	limit := n.cfg.PendingBytes
	return waiting <= limit/2 || waiting <= limit && c.cost <= (limit-waiting)/pendingShare
}

// refuse answers every run of a fragment with a status.
func (n *Node) refuse(c *Client, fragment []byte, kind wire.Type, status wire.Status) {
	a := answers{origin: c.Origin, kind: kind}
	for a.begin(n); len(fragment) > 0; {
		run, size, err := wire.DecodeRun(fragment)
		if err != nil {
			panic("BUG: checked fragment does not decode: " + err.Error())
		}
		if a.open {
			a.out = wire.AppendUniformReply(a.out, run.Session, run.First, run.Count, status)
		}
		fragment = fragment[size:]
	}
	a.end(n)
}

// answers is a frame of answers to one origin that is being written.
type answers struct {
	origin batching.Origin
	kind   wire.Type // of the frame
	open   bool      // there is a frame: somebody waits
	out    []byte    // what goes to the client, with the frame at the end
	start  int       // of the frame
	limits machine.Limits
	count  int // commands or reads in flight that the frame answers
}

// begin begins a frame, if there is a client to read it.
func (a *answers) begin(n *Node) {
	*a = answers{origin: a.origin, kind: a.kind, limits: machine.Limits{Begin: n.cfg.ReplyFrame}}
	var room int
	if a.out, room, a.open = n.driver.Begin(a.origin); a.open {
		if a.kind == wire.TypeReply && n.lag.long {
			room = min(room, lagRoom)
		}
		a.start = len(a.out)
		a.limits.End = a.start + room
		a.out = wire.BeginFrame(a.out)
		a.limits.Begin += len(a.out)
	}
}

// full reports whether no answer may begin in the frame.
func (a *answers) full() bool { return a.open && len(a.out) >= a.limits.Begin }

// end ends the frame that begin began.
func (a *answers) end(n *Node) {
	if a.open {
		wire.EndFrame(a.out, a.start, a.kind)
		if a.kind == wire.TypeReply {
			n.answered += len(a.out) - a.start
		}
		n.driver.End(a.origin, a.out, a.count)
	}
}
