package replica

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paxosbench/replica/journal"
	"paxosbench/replica/transport/freeport"
	"paxosbench/wire"
)

// alone is the configuration of a replica that leaves its ports to the system.
func alone(t *testing.T) Config {
	t.Helper()
	c := Default()
	c.ID, c.Members = 1, []Member{{1, "127.0.0.1:0", "127.0.0.1:0"}}
	c.Data, c.Admin, c.Bootstrap = filepath.Join(t.TempDir(), "data"), "127.0.0.1:0", true
	c.SegmentBytes = 8 << 20
	return c
}

func started(t *testing.T, c Config) *Replica {
	t.Helper()
	r, err := Start(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// A program that embeds a replica finds out by itself where it serves, when it is ready, and how it is.
func TestEmbedded(t *testing.T) {
	c := alone(t)
	for range 2 { // the second time there is something to recover
		r := started(t, c)
		if err := r.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		s, err := r.Status(t.Context())
		if err != nil || s.Role != "leader" || s.NotReady != "" || !s.Recovery.Done || s.Voters != 1 || s.Quorum1 != 1 {
			t.Errorf("status %+v, %v", s, err)
		}
		if w := welcome(t, r.Addr().String()); w.Leader != 1 || w.LeaderAddr != r.Addr().String() {
			t.Errorf("a client is welcomed with %+v", w)
		}
		if err := errors.Join(r.Close(), r.Close()); err != nil {
			t.Fatal(err)
		}
		if err := r.Ready(t.Context()); err == nil {
			t.Error("a replica that has ended is ready")
		}
		if _, err := r.Status(t.Context()); err == nil {
			t.Error("a replica that has ended has a status")
		}
	}
}

// welcome says hello as a client.
func welcome(t *testing.T, addr string) wire.Welcome {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(wire.AppendClientHello(nil, wire.ClientHello{})); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 4096)
	n, err := conn.Read(answer)
	if err != nil {
		t.Fatal(err)
	}
	w, err := wire.DecodeWelcome(answer[:n])
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// What cannot work is an error of Start, and no panic; what fails later is one of Wait and Ready.
func TestStartFails(t *testing.T) {
	if _, err := Start(t.Context(), Config{}, nil); err == nil {
		t.Error("the zero configuration starts")
	}
	c := alone(t)
	c.Machine = 3
	if _, err := Start(t.Context(), c, nil); err == nil {
		t.Error("an unknown machine starts")
	}
	c = alone(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c.Admin = l.Addr().String()
	if _, err := Start(t.Context(), c, nil); err == nil {
		t.Error("two listen at one address")
	}
	c = alone(t)
	c.Bootstrap = false
	r, err := Start(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Ready(t.Context()); !errors.Is(err, journal.ErrEmpty) {
		t.Errorf("ready: %v", err)
	}
	if err := r.Wait(); !errors.Is(err, journal.ErrEmpty) {
		t.Errorf("ended with %v", err)
	}
}

// One of two replicas waits for the other, and says so.
func TestWaitsForPeer(t *testing.T) {
	c := alone(t)
	c.Members = []Member{{1, freeport.Addr(t), "127.0.0.1:0"}, {2, freeport.Addr(t), freeport.Addr(t)}}
	c.Heartbeat, c.ElectionTimeout = 5*time.Millisecond, 20*time.Millisecond
	r := started(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := r.Ready(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ready: %v", err)
	}
	// It may be recovering yet where the disk is busy.
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		s, err := r.Status(t.Context())
		if err == nil && strings.Contains(s.NotReady, "that takes 2 of 2 replicas, 1 are within reach and vote") && s.NoLeaderS > 0 {
			return
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("status %+v, %v", s, err)
		}
	}
}

// A replica that is told to stop while it recovers does, in good order.
func TestStopWhileRecovering(t *testing.T) {
	c := alone(t)
	r := started(t, c)
	if err := errors.Join(r.Ready(t.Context()), r.Close()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := Start(ctx, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
	if names, err := os.ReadDir(filepath.Dir(c.Data)); err != nil || len(names) != 1 {
		t.Errorf("beside the data: %v, %v", names, err)
	}
}
