package load

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// module makes a module of its own outside of the tree, which finds this one by a replace and nothing on a network, and builds the
// program in it.
func module(t *testing.T, files map[string]string) (program string) {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a module of its own")
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if name == "go.mod" { // the versions of what this module needs, as go mod tidy would find them
			text = []byte(strings.Replace(string(text), "module paxosbench", "module example.com/stranger", 1) +
				"\nrequire paxosbench v0.0.0\nreplace paxosbench => " + root + "\n")
		}
		files[name] = string(text)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	program = filepath.Join(dir, "program")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-mod=mod", "-o", program, ".")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOPROXY=off", "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// measured runs a program that measures a service, and wants of its summary what a sound measurement says.
func measured(t *testing.T, program string, serve func(net.Conn), want ...string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var clients sync.WaitGroup
	clients.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			clients.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	defer clients.Wait()
	defer listener.Close()
	out, err := exec.CommandContext(t.Context(), program, listener.Addr().String()).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, text := range want {
		if !strings.Contains(string(out), text) {
			t.Errorf("no %q in\n%s", text, out)
		}
	}
}

// store is what services keep.
type store struct {
	mu     sync.Mutex
	values map[string]string
}

func (s *store) get(key string) (value string, there bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, there = s.values[key]
	return value, there
}

func (s *store) set(key, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[key] = value
}

// fence is a block of code in documentation that has a file's name.
var fence = regexp.MustCompile("(?s)```go lines/(\\S+)\n(.*?)```")

// TestDocumentedDriver builds what docs/targets.md shows, and has it measure a service that speaks lines.
func TestDocumentedDriver(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "targets.md"))
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	for _, block := range fence.FindAllStringSubmatch(string(page), -1) {
		files[block[1]] = block[2]
	}
	if len(files) != 3 || strings.Count(files["driver.go"], "\n") > 150 {
		t.Fatalf("%d files, a driver of %d lines", len(files), strings.Count(files["driver.go"], "\n"))
	}
	program := module(t, files)
	kept := store{values: make(map[string]string)}
	var looks atomic.Int64
	measured(t, program, func(c net.Conn) {
		lines, out := bufio.NewScanner(c), bufio.NewWriter(c)
		for lines.Scan() {
			words := strings.Fields(lines.Text())
			switch words[0] {
			case "SET":
				kept.set(words[1], words[2])
				fmt.Fprintln(out, "OK")
			case "STATUS":
				n := looks.Add(1)
				fmt.Fprintln(out, 7, n*int64(time.Second), 1000*n, "v1.2")
			default:
				if value, there := kept.get(words[1]); there {
					fmt.Fprintln(out, "VALUE", value)
				} else {
					fmt.Fprintln(out, "NONE")
				}
			}
			out.Flush()
		}
	}, "open loop, 2,000 op/s", "keys read back", ": nothing wrong", "replica 1 unreplicated", "no compare-and-sets")
}

// TestStrangersDriver is a driver that was written from docs/targets.md alone, for a service with a binary protocol whose answers come
// in any order, and which has compare-and-sets.
func TestStrangersDriver(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "stranger", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "\n"); n >= 200 {
		t.Errorf("the driver has %d lines", n)
	}
	program := module(t, map[string]string{"main.go": string(text)})
	kept := store{values: make(map[string]string)}
	measured(t, program, func(c net.Conn) {
		var out sync.Mutex
		var answers sync.WaitGroup
		defer answers.Wait()
		for in := bufio.NewReader(c); ; {
			var head [16]byte // tag, what, lengths of key, value and what is expected
			if _, err := io.ReadFull(in, head[:]); err != nil {
				return
			}
			body := make([]byte, int(head[5])+int(binary.BigEndian.Uint32(head[6:]))+int(binary.BigEndian.Uint32(head[10:])))
			if _, err := io.ReadFull(in, body); err != nil {
				return
			}
			answers.Go(func() {
				if head[3]%7 == 0 {
					time.Sleep(time.Millisecond) // others overtake it
				}
				answer := kept.answer(head, body)
				out.Lock()
				defer out.Unlock()
				c.Write(answer)
			})
		}
	}, "closed loop", "linearizability of", ": nothing wrong", "keys read back")
}

// answer carries out a request of the binary protocol.
func (s *store) answer(head [16]byte, body []byte) []byte {
	keyLen, valueLen := int(head[5]), int(binary.BigEndian.Uint32(head[6:]))
	key, value, expected := string(body[:keyLen]), string(body[keyLen:][:valueLen]), string(body[keyLen+valueLen:])
	s.mu.Lock()
	defer s.mu.Unlock()
	held, there := s.values[key]
	status, found := byte(0), ""
	switch head[4] {
	case 'p':
		s.values[key] = value
	case 'g':
		found = held
		if !there {
			status = 1
		}
	case 'd':
		delete(s.values, key)
		if !there {
			status = 1
		}
	case 'c':
		if absent := head[14] == 1; absent == there || there && held != expected {
			status = 2
		} else {
			s.values[key] = value
		}
	}
	out := append(append([]byte{}, head[:4]...), status)
	out = binary.BigEndian.AppendUint32(out, uint32(len(found)))
	return append(out, found...)
}
