package loop_test

import (
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"paxosbench/wire"
	"paxosbench/wire/client/clienttest"
	"paxosbench/wire/client/loop"
	"paxosbench/wire/secure"
)

// accepting is an address where each connection is given to a function, on a goroutine of its own, which closes it.
func accepting(t *testing.T, serve func(nc net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go serve(nc)
		}
	}()
	return l.Addr().String()
}

// plain is the address of a replica that does not speak TLS.
func plain(t *testing.T) string {
	t.Helper()
	return accepting(t, func(nc net.Conn) {
		_, _ = nc.Read(make([]byte, 1<<10))
		_, _ = nc.Write(wire.AppendFault(nil, "not this protocol"))
		_ = nc.Close()
	})
}

// Over a connection on which both sides have proved who they are everything is as it is otherwise.
func TestSecured(t *testing.T) {
	replica, loadgen := clienttest.Credentials(t)
	addr := clienttest.Front(t, listen(t, clienttest.Config{}), replica)
	r := newRig(t, loop.Config{Addrs: []string{addr}, Conns: 3, Sessions: 7, Credentials: loadgen})
	r.register()
	r.issue(2000)
	if n := r.Open(); n != 3 {
		t.Errorf("%d connections are open, want 3", n)
	}
	r.Restart(0)
	r.issue(100)
	if c := r.Report().Counters; c.CorruptFrames+c.Violations != 0 || c.Connects != 6 {
		t.Errorf("counters %+v", c)
	}
}

// late is an address behind which a replica is that gets to a connection when it has waited for a while.
func late(t *testing.T, behind string, wait time.Duration) string {
	t.Helper()
	return accepting(t, func(nc net.Conn) {
		defer nc.Close()
		time.Sleep(wait)
		to, err := net.Dial("tcp", behind)
		if err != nil {
			return
		}
		defer to.Close()
		go func() { _, _ = io.Copy(to, nc) }()
		_, _ = io.Copy(nc, to)
	})
}

// A replica that has much to do takes its time for a handshake, and is not left for that: others would have come before whoever begins anew.
func TestLateHandshakesAreWaitedFor(t *testing.T) {
	replica, loadgen := clienttest.Credentials(t)
	const connect = 100 * time.Millisecond
	addr := late(t, clienttest.Front(t, listen(t, clienttest.Config{}), replica), 3*connect)
	r := newRig(t, loop.Config{Addrs: []string{addr}, Conns: 2, Sessions: 2, Credentials: loadgen, ConnectTimeout: connect, StallTimeout: patience})
	r.register()
	if c := r.Report().Counters; c.DialFailures != 0 || c.Connects != 2 {
		t.Errorf("counters %+v", c)
	}
}

// Why no connection comes about is said in words that help.
func TestNotSecured(t *testing.T) {
	replica, loadgen := clienttest.Credentials(t)
	_, foreign := clienttest.Credentials(t)
	server := listen(t, clienttest.Config{})
	addr := clienttest.Front(t, server, replica)
	for name, tt := range map[string]struct {
		addr        string
		credentials *secure.Credentials
		want        string
	}{
		"of another authority": {addr, foreign, "unknown authority"},
		"a client's answers":   {clienttest.Front(t, server, loadgen), loadgen, "certificate"},
		"nobody there":         {"127.0.0.1:1", loadgen, "connection refused"},
		"the server is plain":  {plain(t), loadgen, secure.BothOrNone},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, loop.Config{Addrs: []string{tt.addr}, Conns: 1, Sessions: 1, Credentials: tt.credentials})
			r.until(tt.want, func() bool { return r.LastError() != nil && strings.Contains(r.LastError().Error(), tt.want) })
		})
	}
}

// Handshakes that come to nothing, and those under way when the loop is closed, leave nothing open.
func TestAbandonedHandshakes(t *testing.T) {
	open := func() int {
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	replica, loadgen := clienttest.Credentials(t)
	mute, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts, which takes a client a while to notice
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	talks := clienttest.Front(t, listen(t, clienttest.Config{}), replica)
	before := open()
	for name, addr := range map[string]string{"mute": mute.Addr().String(), "talks": talks} {
		t.Run(name, func(t *testing.T) { // its end closes the loop
			r := newRig(t, loop.Config{Addrs: []string{addr}, Conns: 8, Sessions: 8, Credentials: loadgen,
				ConnectTimeout: time.Millisecond, StallTimeout: time.Millisecond})
			r.until("40 failures, or a connection among others that are being made", func() bool {
				return r.Report().Counters.DialFailures >= 40 || r.Open() > 0
			})
		})
	}
	for end := time.Now().Add(patience); open() > before+4; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d files are open, and %d were before", open(), before)
		}
	}
}
