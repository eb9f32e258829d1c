// Program main measures a service whose requests are tagged, so that answers may come in any order:
//
//	request: tag (4 bytes), what (p, g, d or c), key's length (1), value's length (4), length of what is expected (4), flags (2)
//	answer:  tag (4 bytes), status (0 done, 1 not there, 2 something else was there), value's length (4), value
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"paxosbench/bench/load"
	"paxosbench/bench/load/verify"
	"paxosbench/bench/report"
	"paxosbench/bench/target"
)

type tagged struct{ addr string }

func (tagged) Capabilities() target.Capabilities {
	return target.Capabilities{Get: true, Delete: true, CompareAndSet: true}
}

func (d tagged) Connect(ctx context.Context) (target.Conn, error) {
	var dialer net.Dialer
	tcp, err := dialer.DialContext(ctx, "tcp", d.addr)
	if err != nil {
		return nil, err
	}
	c := &connection{tcp: tcp, calls: make(map[uint32]*target.Call)}
	go c.answers()
	return c, nil
}

type connection struct {
	tcp net.Conn
	out []byte
	tag uint32

	mu    sync.Mutex
	calls map[uint32]*target.Call
}

var letters = map[target.Op]byte{target.Put: 'p', target.Get: 'g', target.Delete: 'd', target.CompareAndSet: 'c'}

func (c *connection) Submit(calls []*target.Call) error {
	c.out = c.out[:0]
	c.mu.Lock()
	for _, call := range calls {
		c.tag++
		c.calls[c.tag] = call
		c.out = binary.BigEndian.AppendUint32(c.out, c.tag)
		c.out = append(c.out, letters[call.Op], byte(len(call.Key)))
		c.out = binary.BigEndian.AppendUint32(c.out, uint32(len(call.Value)))
		c.out = binary.BigEndian.AppendUint32(c.out, uint32(len(call.Expected)))
		absent := byte(0)
		if call.Absent {
			absent = 1
		}
		c.out = append(c.out, absent, 0)
		c.out = append(c.out, call.Key...)
		c.out = append(c.out, call.Value...)
		c.out = append(c.out, call.Expected...)
	}
	c.mu.Unlock()
	_, err := c.tcp.Write(c.out)
	return err
}

func (c *connection) Close() error { return c.tcp.Close() }

func (c *connection) answers() {
	in := bufio.NewReader(c.tcp)
	for {
		var head [9]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			c.broken(err)
			return
		}
		value := make([]byte, binary.BigEndian.Uint32(head[5:]))
		if _, err := io.ReadFull(in, value); err != nil {
			c.broken(err)
			return
		}
		tag := binary.BigEndian.Uint32(head[:])
		c.mu.Lock()
		call := c.calls[tag]
		delete(c.calls, tag)
		c.mu.Unlock()
		if call == nil {
			c.broken(fmt.Errorf("an answer to request %d, which nobody has made", tag))
			return
		}
		call.Complete([]target.Status{target.OK, target.NotFound, target.Mismatch}[head[4]], value)
	}
}

func (c *connection) broken(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for tag, call := range c.calls {
		delete(c.calls, tag)
		call.Fail(err)
	}
}

func main() {
	cfg := load.Default()
	cfg.System = target.Of("tagged", tagged{os.Args[1]})
	cfg.Clients, cfg.Conns, cfg.Keys, cfg.Preload = 50, 2, 500, true
	cfg.Warmup, cfg.Duration, cfg.Examine = 100*time.Millisecond, 500*time.Millisecond, 200*time.Millisecond
	cfg.Verify = verify.History
	if err := cfg.Mix.UnmarshalText([]byte("put:0.4,get:0.4,delete:0.1,cas:0.1")); err != nil {
		fail(err)
	}
	outcome, err := load.Run(context.Background(), &cfg, nil, nil)
	if err != nil {
		fail(err)
	}
	if err := report.Summary(os.Stdout, outcome.Result); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
