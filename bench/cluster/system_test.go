package cluster

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paxosbench/wire"
)

// TestNode is no test but the process of another system, if it was started as one: it leads if none of those before it listens.
func TestNode(t *testing.T) {
	if flag.Arg(0) != "node" {
		return
	}
	listener, err := net.Listen("tcp", flag.Arg(1))
	if err != nil {
		t.Fatal(err)
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		part := "leader"
		for _, before := range flag.Args()[2:] {
			if other, err := net.DialTimeout("tcp", before, time.Second); err == nil {
				part = "follower"
				other.Close()
			}
		}
		question := make([]byte, 6)
		conn.SetDeadline(time.Now().Add(time.Second))
		if n, err := conn.Read(question); err == nil && string(question[:n]) == "\xbdpart?" {
			fmt.Fprintln(conn, "my part:", part)
		}
		conn.Close()
	}
}

// nodes describes the system of TestNode.
func nodes(t *testing.T) *System {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s, err := ParseSystem("nodes.yaml", fmt.Appendf(nil, `
name: nodes
durability: [none, fsync]
run:
  - %s
  - -test.run=^TestNode$
  - '{{if eq .Durability "none"}}-test.v{{end}}'
  - --
  - node
  - '{{.Client}}'
  - '{{$id := .ID}}{{range .Members}}{{if eq .ID 1}}{{if ne $id 1}}{{.Client}}{{end}}{{end}}{{end}}'
files:
  me: 'id {{.ID}} of {{len .Members}} at {{host .Client}} port {{port .Peer}}'
probe:
  address: '{{.Client}}'
  say: !!binary vXBhcnQ/ # which is no text
  leader: 'part: leader'
  follower: 'part: follower'
`, self))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A cluster of processes that are not ours answers to the same words.
func TestAnotherSystem(t *testing.T) {
	ctx, dir := t.Context(), filepath.Join(t.TempDir(), "cluster")
	c, err := Start(ctx, Config{System: nodes(t), Durability: "fsync", Replicas: 2, Dir: dir, PortBase: testPortBase, Search: true, Tied: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	})
	opened, err := Open(dir) // as another program would
	if err != nil {
		t.Fatal(err)
	}
	wantLeader := func(want wire.ReplicaID) {
		t.Helper()
		if id, err := opened.Leader(ctx); err != nil || id != want {
			t.Fatalf("leader %d, %v; want %d", id, err, want)
		}
	}
	wantLeader(1)
	var table bytes.Buffer
	if err := opened.WriteStatus(ctx, &table); err != nil || !strings.Contains(table.String(), "leader") || !strings.Contains(table.String(), "follower") {
		t.Errorf("%v\n%s", err, &table)
	}
	if usage, err := opened.Usage(); err != nil || usage.Memory == 0 {
		t.Errorf("%+v, %v", usage, err)
	}
	if seen, err := opened.Look(ctx); err != nil || len(seen) != 2 || seen[0].Role != "leader" || seen[1].Role != "follower" || seen[0].PID == seen[1].PID {
		t.Errorf("%+v, %v", seen, err)
	}
	for _, act := range []struct {
		name string
		then wire.ReplicaID
	}{{"kill", 2}, {"start", 1}} {
		if err := opened.Act(ctx, act.name, 1); err != nil {
			t.Fatal(err)
		}
		wantLeader(act.then)
	}
	if text, err := os.ReadFile(filepath.Join(dir, dataDir, "2", "me")); err != nil || !strings.HasPrefix(string(text), "id 2 of 2 at 127.0.0.1 port ") {
		t.Errorf("%q, %v", text, err)
	}
	if err := c.Abandon(ctx); err != nil || c.children[2].fate() != "signal: killed" {
		t.Errorf("abandoned: %v, and node 2 ended by %s", err, c.children[2].fate())
	}
	if up, err := opened.Up(); up || err != nil {
		t.Errorf("abandoned, and up: %v, %v", up, err)
	}
}

// What a description lacks, or the system cannot do, is said before anything starts.
func TestSystemsAreChecked(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"name: a", "probe.say"},
		{"name: a\nrun: ['{{.Port}}']\nprobe: {say: x, leader: y}", "Port"},
		{"name: a\nrun: [x]\nprobe: {say: x, leader: '('}", "missing closing )"},
		{"name: a\nrun: [x]\nfiles: {../b: c}\nprobe: {say: x, leader: y}", "../b"},
		{"name: a\nrun: [x]\nprogram: y", "program"},
	} {
		if _, err := ParseSystem("a.yaml", []byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "a.yaml") {
			t.Errorf("%q: %v, want %q", tt.text, err, tt.want)
		}
	}
	s := nodes(t)
	for _, tt := range []struct {
		config Config
		want   string
	}{
		{Config{System: s, Durability: "os", Replicas: 2}, "durability os: nodes has none, fsync"},
		{Config{System: s, Durability: "none", Replicas: 2, Netem: true}, "emulated network"},
		{Config{System: &System{Name: "one", Durability: s.Durability, Replicas: 1}, Durability: "none", Replicas: 2}, "2 replicas"},
	} {
		tt.config.Dir, tt.config.PortBase = t.TempDir(), testPortBase
		if _, err := Start(t.Context(), tt.config); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %q", err, tt.want)
		}
	}
	lacking := System{Needs: []string{"sh", "{{.Bin}}/no-such-program"}}
	if got := lacking.Missing("/opt"); got != "/opt/no-such-program" {
		t.Errorf("missing: %q", got)
	}
	if got := (&System{Needs: []string{"sh"}}).Missing("/opt"); got != "" {
		t.Errorf("missing: %q, and it is there", got)
	}
}

// A process that keeps the connection open after its answer is understood, and one that says neither is not ready.
func TestProbe(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	answers := make(chan string, 1)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			answer := <-answers
			fmt.Fprint(conn, answer)
			if !strings.HasPrefix(answer, "role:") {
				conn.Close()
			}
		}
	}()
	probe := Probe{Address: listener.Addr().String(), Say: "?", Leader: "role:master", Follower: "role:slave"}
	for answer, want := range map[string]string{"role:master\n": "leader", "role:slave\n": "follower", "loading\n": ""} {
		answers <- answer
		if got, err := probe.ask(t.Context(), 3); got.Role != want || (err != nil) != (want == "") {
			t.Errorf("%q: %+v, %v", answer, got, err)
		}
	}
}
