// Package clienttest is a stand-in for a replica: a server that speaks the client side of the protocol over an
// in-memory state, with places to make it misbehave. Tests of the client, the load generator and its command use it.
package clienttest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"paxosbench/wire"
)

// Action is what a server does about one run instead of the usual. The zero Action is the usual.
type Action struct {
	Refuse      wire.Status        // if not OK: answer the run with this status, execute nothing
	Delay       time.Duration      // wait before doing anything
	Disconnect  bool               // close the connection before executing the run
	DropReply   bool               // execute the run, then close the connection without a reply
	RepeatReply bool               // answer twice
	BreakFrame  bool               // flip a bit in the reply frame's body, so that its checksum fails
	Corrupt     func(value []byte) // change the value of every result that has one
	OnlyReply   func() []byte      // send these bytes instead of a reply
	Redirect    *wire.Redirect     // send this, then close the connection
}

// Config shapes a server. The zero Config grants a window of 65536 commands and leads.
type Config struct {
	// ID is the replica's id; default 1.
	ID wire.ReplicaID
	// Window is the window granted, in commands; default 65536.
	Window uint32
	// State is shared by the servers of a cluster; default: one of its own.
	State *State
	// Reads is how gets are served. Queries are answered whatever it says.
	Reads wire.Reads
	// Leader tells who leads and where; default: this server.
	Leader func() (wire.ReplicaID, string)
	// Intercept, if not nil, is asked about every run. It is called by the goroutine of the connection, concurrently.
	Intercept func(run *wire.Run) Action
}

// clusterID is the id of the cluster that all servers belong to.
const clusterID = 7

// Server is a listening stand-in. Close it.
type Server struct {
	cfg      Config
	listener net.Listener
	wg       sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

// Listen starts a server on a free loopback port, or on addr if it is not empty.
func Listen(addr string, cfg Config) (*Server, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	if cfg.ID == 0 {
		cfg.ID = 1
	}
	if cfg.Window == 0 {
		cfg.Window = wire.MaxSessionWindow
	}
	if cfg.State == nil {
		cfg.State = NewState()
	}
	s := &Server{cfg: cfg, listener: listener, conns: make(map[net.Conn]struct{})}
	if s.cfg.Leader == nil {
		s.cfg.Leader = func() (wire.ReplicaID, string) { return cfg.ID, s.Addr() }
	}
	s.wg.Go(s.accept)
	return s, nil
}

// Addr returns the address the server listens on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// State returns the state behind the server.
func (s *Server) State() *State { return s.cfg.State }

// Close stops the server and waits for its goroutines.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.listener.Close()
	s.DisconnectAll()
	s.wg.Wait()
}

// DisconnectAll closes every client connection.
func (s *Server) DisconnectAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		conn.Close()
	}
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		closed := s.closed
		s.conns[conn] = struct{}{}
		s.mu.Unlock()
		if closed {
			conn.Close()
		}
		s.wg.Go(func() {
			// An error here is the connection's end, which is what tests provoke.
			_ = s.serve(conn)
			conn.Close()
			s.mu.Lock()
			delete(s.conns, conn)
			s.mu.Unlock()
		})
	}
}

// serve handles one connection until it ends.
func (s *Server) serve(conn net.Conn) error {
	in := bufio.NewReaderSize(conn, 1<<20)
	var frame, out []byte
	for {
		header, next, err := readFrame(in, frame)
		if err != nil {
			return err
		}
		frame = next
		switch header.Type {
		case wire.TypeClientHello:
			id, addr := s.cfg.Leader()
			out = wire.AppendWelcome(out[:0], wire.Welcome{Cluster: clusterID, Window: s.cfg.Window, Replica: s.cfg.ID, Leader: id, Reads: s.cfg.Reads, Alike: true, LeaderAddr: addr})
		case wire.TypeRequest:
			out, err = s.answer(out[:0], frame[header.Size:], wire.TypeReply, s.cfg.State.Apply)
		case wire.TypeQuery:
			out, err = s.answer(out[:0], frame[header.Size:], wire.TypeQueryReply, s.cfg.State.Query)
		default:
			err = fmt.Errorf("unexpected %v", header.Type)
		}
		if _, werr := conn.Write(out); err != nil || werr != nil {
			return errors.Join(err, werr)
		}
	}
}

// readFrame returns the next frame, in a slice that reuses buf.
func readFrame(in *bufio.Reader, buf []byte) (wire.Header, []byte, error) {
	for size := wire.PrefixSize; ; {
		prefix, err := in.Peek(size)
		if err != nil {
			return wire.Header{}, buf, err
		}
		header, err := wire.DecodeHeader(prefix)
		if errors.Is(err, wire.ErrShort) {
			size++
			continue
		}
		if err != nil {
			return wire.Header{}, buf, err
		}
		buf = append(buf[:0], make([]byte, header.FrameLen())...)
		if _, err := io.ReadFull(in, buf); err != nil {
			return wire.Header{}, buf, err
		}
		return header, buf, header.CheckBody(buf[header.Size:])
	}
}

var errEnd = errors.New("asked to end the connection")

// answer answers one fragment with one frame.
func (s *Server) answer(out, fragment []byte, frame wire.Type, execute func([]byte, *wire.Run, func([]byte)) []byte) ([]byte, error) {
	if _, err := wire.DecodeFragment(fragment); err != nil {
		return wire.AppendFault(out, err.Error()), err
	}
	out = wire.BeginFrame(out)
	broken := false
	for len(fragment) > 0 {
		run, n, _ := wire.DecodeRun(fragment)
		fragment = fragment[n:]
		var action Action
		if s.cfg.Intercept != nil {
			action = s.cfg.Intercept(&run)
		}
		time.Sleep(action.Delay)
		broken = broken || action.BreakFrame
		switch {
		case action.Redirect != nil:
			return wire.AppendRedirect(out[:0], *action.Redirect), errEnd
		case action.Disconnect:
			return out[:0], errEnd
		case action.OnlyReply != nil:
			return action.OnlyReply(), nil
		case action.Refuse != wire.StatusOK:
			out = wire.AppendUniformReply(out, run.Session, run.First, run.Count, action.Refuse)
			continue
		}
		start := len(out)
		out = execute(out, &run, action.Corrupt)
		if action.DropReply {
			return out[:0], errEnd
		}
		if action.RepeatReply {
			out = append(out, out[start:]...)
		}
	}
	wire.EndFrame(out, 0, frame)
	if broken {
		out[wire.PrefixSize] ^= 1
	}
	return out, nil
}
