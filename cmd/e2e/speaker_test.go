package e2e

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"time"

	"paxosbench/wire"
	"paxosbench/wire/secure"
)

// speaker is a client of one connection that sends one command at a time and waits for what comes back: for tests that must know
// what a single replica answers, and when.
type speaker struct {
	conn    *hostile       // by its kind; what is said on it is not
	replica wire.ReplicaID // that has welcomed it
	session wire.SessionID
	next    wire.Seq
}

// speakTimeout bounds how long a speaker waits for an answer.
const speakTimeout = 10 * time.Second

// speak connects to a replica and says hello, with a place where the answers go.
func (c *cluster) speak(id int) (*speaker, error) {
	conn, err := c.entered(id)
	if err != nil {
		return nil, err
	}
	return c.greet(conn)
}

// speakAs does the same with TLS, with the credentials of a directory.
func (c *cluster) speakAs(id int, dir string) (*speaker, error) {
	conn, err := c.enteredAs(id, dir)
	if err != nil {
		return nil, err
	}
	return c.greet(conn)
}

// presenting is how a TLS client that believes everybody presents the certificate in a directory, or none.
func presenting(dir string) (*tls.Config, error) {
	config := &tls.Config{InsecureSkipVerify: true}
	if dir == "" {
		return config, nil
	}
	own, err := tls.LoadX509KeyPair(filepath.Join(dir, secure.CertificateFile), filepath.Join(dir, secure.KeyFile))
	config.Certificates = append(config.Certificates, own)
	return config, err
}

// greet says hello on a connection.
func (c *cluster) greet(conn *hostile) (*speaker, error) {
	c.t.Cleanup(func() { _ = conn.Close() }) // the test may have closed it
	s := &speaker{conn: conn, next: 1}
	frame, h, err := s.exchange(wire.AppendClientHello(nil, wire.ClientHello{}))
	if err != nil {
		return nil, err
	}
	if h.Type != wire.TypeWelcome {
		return nil, fmt.Errorf("hello: answered with a %v", h.Type)
	}
	w, err := wire.DecodeWelcome(frame)
	s.replica = w.Replica
	return s, err
}

// register opens a session through the log.
func (s *speaker) register() error {
	nonce := wire.Seq(time.Now().UnixNano())
	id, err := s.result(s.run(wire.TypeRequest, 0, nonce, wire.AppendCommand(nil, wire.OpRegister, 0, nil, nil)))
	if err == nil && len(id) != 8 {
		err = fmt.Errorf("registration: answered with a value of %d bytes", len(id))
	}
	if err == nil {
		s.session = wire.SessionID(binary.LittleEndian.Uint64(id))
	}
	return err
}

// put writes through the log.
func (s *speaker) put(key, value string) error {
	answer, err := s.run(wire.TypeRequest, s.session, s.next, wire.AppendCommand(nil, wire.OpPut, 0, []byte(key), []byte(value)))
	if err == nil && answer.Status != wire.StatusOK {
		err = fmt.Errorf("put: %v", answer.Status)
	}
	s.next++
	return err
}

// query reads without the log.
func (s *speaker) query(key string) (value string, err error) {
	got, err := s.result(s.run(wire.TypeQuery, 1, s.next, wire.AppendCommand(nil, wire.OpGet, 0, []byte(key), nil)))
	s.next++
	return string(got), err
}

// result returns the value of an answer that has one.
func (s *speaker) result(answer wire.ReplyRun, err error) (value []byte, _ error) {
	if err != nil {
		return nil, err
	}
	if answer.Uniform {
		return nil, fmt.Errorf("answered %v", answer.Status)
	}
	result, _, err := wire.DecodeResult(answer.Results)
	if err == nil && result.Status != wire.StatusOK {
		err = fmt.Errorf("answered %v", result.Status)
	}
	return result.Value, err
}

// run sends a run of one command and returns its answer.
func (s *speaker) run(t wire.Type, session wire.SessionID, seq wire.Seq, command []byte) (wire.ReplyRun, error) {
	return s.runs(t, session, seq, 1, command)
}

// runs sends a run of several commands and returns the first answer.
func (s *speaker) runs(t wire.Type, session wire.SessionID, first wire.Seq, count int, commands []byte) (wire.ReplyRun, error) {
	frame := wire.BeginFrame(nil)
	frame = append(wire.AppendRunHeader(frame, session, first, first-1, count, len(commands)), commands...)
	wire.EndFrame(frame, 0, t)
	answer, h, err := s.exchange(frame)
	if err != nil {
		return wire.ReplyRun{}, err
	}
	if h.Type != wire.TypeReply && h.Type != wire.TypeQueryReply {
		return wire.ReplyRun{}, fmt.Errorf("answered with a %v", h.Type)
	}
	run, _, err := wire.DecodeReplyRun(answer[h.Size:])
	return run, err
}

// exchange writes a frame and returns the next one that comes.
func (s *speaker) exchange(frame []byte) (answer []byte, h wire.Header, err error) {
	if err := s.conn.SetDeadline(time.Now().Add(speakTimeout)); err != nil {
		return nil, h, err
	}
	if _, err := s.conn.Write(frame); err != nil {
		return nil, h, err
	}
	h, answer, err = s.conn.hear()
	return answer, h, err
}
