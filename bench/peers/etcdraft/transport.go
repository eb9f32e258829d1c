package etcdraft

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"paxosbench/bench/peers/front"
)

// transport carries messages between nodes: on a connection for each direction, each with its length before it. What cannot be sent
// is dropped; the protocol sends it again.
type transport struct {
	listener net.Listener
	peers    map[uint64]*peer
	stop     chan struct{}
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// peer is another node, and what waits to be sent to it.
type peer struct {
	id     uint64
	addr   string
	outbox *mailbox[*raftpb.Message]
	report func(report)
}

const (
	lengthSize  = 4
	maxMessage  = 1 << 30
	bufferSize  = 256 << 10
	dialTimeout = time.Second
	redialPause = 50 * time.Millisecond
)

func newTransport(n front.Node, receive func(*raftpb.Message), tell func(report)) (*transport, error) {
	listener, err := net.Listen("tcp", n.Members[n.ID])
	if err != nil {
		return nil, fmt.Errorf("listening for the other nodes: %w", err)
	}
	t := &transport{listener: listener, peers: map[uint64]*peer{}, stop: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	for id, addr := range n.Members {
		if id == n.ID {
			continue
		}
		p := &peer{id: uint64(id), addr: addr, outbox: newMailbox[*raftpb.Message](make(chan struct{}, 1)), report: tell}
		t.peers[p.id] = p
		t.wg.Go(func() { t.serve(p) })
	}
	t.wg.Go(func() { t.accept(receive) })
	return t, nil
}

// send sends a message. It never waits.
func (t *transport) send(m *raftpb.Message) {
	if p := t.peers[m.GetTo()]; p != nil {
		p.outbox.push(m)
	}
}

func (t *transport) close() {
	close(t.stop)
	t.listener.Close()
	for _, p := range t.peers {
		p.outbox.close()
	}
	t.mu.Lock()
	for conn := range t.conns {
		conn.Close()
	}
	t.mu.Unlock()
	t.wg.Wait()
}

// keep notes a connection, so that the end of the node ends it, and reports whether it may be used.
func (t *transport) keep(conn net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-t.stop:
		conn.Close()
		return false
	default:
		t.conns[conn] = struct{}{}
		return true
	}
}

func (t *transport) drop(conn net.Conn) {
	conn.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.conns, conn)
}

// serve keeps a connection to a peer and sends what is for it.
func (t *transport) serve(p *peer) {
	for {
		conn, err := net.DialTimeout("tcp", p.addr, dialTimeout)
		if err == nil && t.keep(conn) {
			ended := p.stream(conn)
			t.drop(conn)
			if ended {
				return
			}
		}
		p.fail(p.outbox.take())
		select {
		case <-t.stop:
			return
		case <-time.After(redialPause):
		}
	}
}

// stream sends messages until the connection breaks, or the node ends.
func (p *peer) stream(conn net.Conn) (ended bool) {
	out := bufio.NewWriterSize(conn, bufferSize)
	var buf []byte
	for {
		messages := p.outbox.wait()
		if messages == nil {
			return true
		}
		for i, m := range messages {
			var err error
			if buf, err = appendMessage(buf[:0], m); err == nil {
				_, err = out.Write(buf)
			}
			if err != nil {
				p.fail(messages[i:])
				return false
			}
		}
		if out.Flush() != nil {
			p.fail(messages)
			return false
		}
		for _, m := range messages {
			if m.GetType() == raftpb.MsgSnap {
				p.report(report{peer: p.id, snapshot: true, ok: true})
			}
		}
	}
}

// fail reports messages that were not sent.
func (p *peer) fail(messages []*raftpb.Message) {
	if len(messages) > 0 {
		p.report(report{peer: p.id})
	}
	for _, m := range messages {
		if m.GetType() == raftpb.MsgSnap {
			p.report(report{peer: p.id, snapshot: true})
		}
	}
}

func appendMessage(dst []byte, m *raftpb.Message) ([]byte, error) {
	dst = append(dst, make([]byte, lengthSize)...)
	dst, err := proto.MarshalOptions{}.MarshalAppend(dst, m)
	if err == nil {
		binary.LittleEndian.PutUint32(dst, uint32(len(dst)-lengthSize))
	}
	return dst, err
}

func (t *transport) accept(receive func(*raftpb.Message)) {
	for {
		conn, err := t.listener.Accept()
		if err != nil {
			return
		}
		if !t.keep(conn) {
			return
		}
		t.wg.Go(func() {
			// Its end is the peer's, or this node's.
			_ = read(conn, receive)
			t.drop(conn)
		})
	}
}

func read(conn net.Conn, receive func(*raftpb.Message)) error {
	in := bufio.NewReaderSize(conn, bufferSize)
	var buf []byte
	for {
		var length [lengthSize]byte
		if _, err := io.ReadFull(in, length[:]); err != nil {
			return err
		}
		n := binary.LittleEndian.Uint32(length[:])
		if n > maxMessage {
			return fmt.Errorf("message of %d bytes", n)
		}
		if uint32(cap(buf)) < n {
			buf = make([]byte, n)
		}
		buf = buf[:n]
		if _, err := io.ReadFull(in, buf); err != nil {
			return err
		}
		m := &raftpb.Message{}
		if err := proto.Unmarshal(buf, m); err != nil {
			return err
		}
		receive(m)
	}
}
