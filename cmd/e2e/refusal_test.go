package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"paxosbench/wire"
)

// refused starts a replica that must not start, and checks exit code and message.
func (c *cluster) refused(code int, message string, args ...string) {
	c.t.Helper()
	p := start(c.t, filepath.Join(c.t.TempDir(), "refused.log"), "replica", args...)
	if got := p.exit(c.t, 10*time.Second); got != code || !strings.Contains(p.text(), message) {
		c.t.Errorf("exit code %d, want %d; want %q in:\n%s", got, code, message, p.text())
	}
	if strings.Contains(p.text(), "goroutine ") {
		c.t.Errorf("a panic:\n%s", p.text())
	}
}

func TestReplicaRefusesToStart(t *testing.T) {
	beside(t)
	c := newCluster(t, 3)
	c.ready()
	flag := func(args []string, name, value string) []string {
		args = append([]string(nil), args...)
		for i := range args {
			if args[i] == name {
				args[i+1] = value
			}
		}
		return args
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	c.refused(1, "in use", flag(c.args(1), "--admin", "")...)                                          // data directory
	c.refused(1, "address already in use", append(flag(c.args(1), "--data", other), "--bootstrap")...) // port
	without := flag(c.args(1), "--admin", "")
	c.refused(1, "not a directory", append(flag(without, "--data", filepath.Join(file, "x")), "--bootstrap")...)
	c.refused(1, "--bootstrap", flag(without, "--data", t.TempDir())...) // empty directory
	c.refused(2, "quorum2", append(c.args(1), "--quorum2", "9")...)
	c.refused(2, "segment-bytes: 2147483648", append(c.args(1), "--segment-bytes", "2GiB")...)
	c.refused(2, "unknown flag", "--nonsense")
	c.refused(2, "batch", append(c.args(1), "--batch", "sometimes")...)
	c.signal(2, syscall.SIGKILL)
	c.refused(1, ", this start has 77", append(c.args(2), "--cluster-id", "77")...) // another cluster's data
	c.refused(1, "id: the directory has 2, this start has 3", flag(flag(c.args(2), "--id", "3"), "--admin", "127.0.0.1:0")...)
}

func TestReplicaOfAnotherClusterIsRefusedByItsPeers(t *testing.T) {
	beside(t)
	c := newCluster(t, 2)
	c.ready()
	args := c.args(2)
	c.signal(2, syscall.SIGKILL)
	args = append(args, "--cluster-id", "77", "--bootstrap")
	for i := range args {
		if args[i] == "--data" {
			args[i+1] = t.TempDir()
		}
	}
	stranger := start(t, filepath.Join(t.TempDir(), "stranger.log"), "replica", args...)
	c.until("a refusal that names both clusters", func() bool {
		text := stranger.text() + c.replicas[1].text()
		return strings.Contains(text, "77") && strings.Contains(text, "cluster")
	})
}

// Nobody has given the clusters an id, and a replica of one of them finds the other one's at a peer's address.
func TestClustersOfDefaultFlagsAreStrangers(t *testing.T) {
	beside(t)
	one, other := newCluster(t, 2), newCluster(t, 2)
	one.ready()
	other.ready()
	one.signal(2, syscall.SIGKILL) // its place is free
	other.signal(2, syscall.SIGKILL)
	other.members[0].peer = one.members[0].peer
	other.start(2)
	other.until("a refusal that names the setting", func() bool {
		return strings.Contains(other.replicas[2].text()+one.replicas[1].text(), "cluster-id: replica ")
	})
}

// Whatever arrives, the connection is closed, if possible with a word about why, and the replica lives on.
func TestMalformedFramesCloseTheConnection(t *testing.T) {
	c := newCluster(t, 1)
	c.ready()
	hello := wire.AppendClientHello(nil, wire.ClientHello{})
	request := func(change func(frame []byte)) []byte {
		frame := wire.BeginFrame(nil)
		frame = wire.AppendRunHeader(frame, 1, 1, 0, 1, wire.CommandHeaderSize)
		frame = wire.AppendCommand(frame, wire.OpGet, 0, nil, nil)
		change(frame)
		return frame
	}
	sealed := func(change func(body []byte)) []byte {
		frame := request(func(f []byte) { change(f[wire.PrefixSize:]) })
		wire.EndFrame(frame, 0, wire.TypeRequest)
		return frame
	}
	cases := map[string][]byte{
		"magic":          bytes.Repeat([]byte{0xff}, 64),
		"version":        {0x50, 0x58, 99, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"type":           {0x50, 0x58, 1, 200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"no hello":       sealed(func([]byte) {}),
		"wrong cluster":  wire.AppendClientHello(nil, wire.ClientHello{Cluster: 77}),
		"huge length":    {0x50, 0x58, 1, 3, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0},
		"checksum":       append(bytes.Clone(hello), request(func(f []byte) { wire.EndFrame(f, 0, wire.TypeRequest); f[len(f)-1] ^= 1 })...),
		"count":          append(bytes.Clone(hello), sealed(func(b []byte) { binary.LittleEndian.PutUint32(b[24:], 1<<31) })...),
		"command length": append(bytes.Clone(hello), sealed(func(b []byte) { binary.LittleEndian.PutUint32(b[wire.RunHeaderSize+4:], 1<<31) })...),
		"operation":      append(bytes.Clone(hello), sealed(func(b []byte) { b[wire.RunHeaderSize] = 99 })...),
		"peer message":   append(bytes.Clone(hello), wire.AppendMessageHeader(nil, &wire.Message{Type: wire.TypePrepare})...),
	}
	for name, bytes := range cases {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", c.members[0].client))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Write(bytes); err != nil {
				t.Fatal(err)
			}
			if answer, err := io.ReadAll(conn); err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("connection not closed: %v after %d bytes", err, len(answer))
			}
			if _, err := c.status(1); err != nil {
				t.Errorf("the replica is gone: %v", err)
			}
		})
	}
}
