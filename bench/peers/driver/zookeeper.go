package driver

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/go-zookeeper/zk"

	"paxosbench/bench/target"
)

// zookeeper is an ensemble of ZooKeeper. A key is a node below the root of what the driver writes.
type zookeeper struct{ addrs []string }

// Capabilities implements target.Driver. Compare-and-set goes by versions there, not by values.
func (zookeeper) Capabilities() target.Capabilities {
	return target.Capabilities{Get: true, Delete: true}
}

// zkRoot is what all keys are below.
const zkRoot = "/paxosbench"

// zkSession is how long the ensemble keeps a session that it does not hear.
const zkSession = 4 * time.Second

// Connect opens a session with the member that leads: what is written to others is passed on to it.
func (z zookeeper) Connect(ctx context.Context) (target.Conn, error) {
	leader, err := z.leader(ctx)
	if err != nil {
		return nil, err
	}
	session, events, err := zk.Connect([]string{leader}, zkSession, zk.WithLogInfo(false), zk.WithLogger(silent{}))
	if err != nil {
		return nil, err
	}
	for {
		select {
		case <-ctx.Done():
			session.Close()
			return nil, ctx.Err()
		case event := <-events:
			if event.State != zk.StateHasSession {
				continue
			}
		}
		break
	}
	if _, err := session.Create(zkRoot, nil, 0, zk.WorldACL(zk.PermAll)); err != nil && !errors.Is(err, zk.ErrNodeExists) {
		session.Close()
		return nil, err
	}
	return &zkConn{session}, nil
}

// leader asks the members who leads. The client's own question does not understand the version of a packaged server.
func (z zookeeper) leader(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, zkPatience)
	defer cancel()
	for _, addr := range z.addrs {
		if leadsZookeeper(ctx, addr) {
			return addr, nil
		}
	}
	return "", errors.New("no member of ZooKeeper says that it leads")
}

// zkPatience is how long the members may take to say it.
const zkPatience = time.Second

func leadsZookeeper(ctx context.Context, addr string) bool {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	until, _ := ctx.Deadline()
	if err := conn.SetDeadline(until); err != nil {
		return false
	}
	if _, err := io.WriteString(conn, "srvr"); err != nil {
		return false
	}
	answer, err := io.ReadAll(conn)
	return err == nil && bytes.Contains(answer, []byte("Mode: leader"))
}

// silent has the client complain to nobody: what matters is told by the calls.
type silent struct{}

// Printf implements zk.Logger.
func (silent) Printf(string, ...any) {}

// zkConn is a session; the client sends what goroutines ask for in order, and does not wait in between.
type zkConn struct{ session *zk.Conn }

// Submit implements target.Conn.
func (c *zkConn) Submit(calls []*target.Call) error {
	for _, call := range calls {
		go c.do(call)
	}
	return nil
}

// Close implements target.Conn. The client waits for a farewell, which the caller need not.
func (c *zkConn) Close() error {
	go c.session.Close()
	return nil
}

func (c *zkConn) do(call *target.Call) {
	status, value, err := c.execute(call)
	if err != nil {
		call.Fail(err)
		return
	}
	call.Complete(status, value)
}

func (c *zkConn) execute(call *target.Call) (target.Status, []byte, error) {
	path := zkRoot + "/" + hex.EncodeToString(call.Key)
	switch call.Op {
	case target.Put:
		return target.OK, nil, c.put(path, call.Value)
	case target.Get:
		// A get alone may be answered from a state that is behind: the leader is asked to be level first.
		if _, err := c.session.Sync(zkRoot); err != nil {
			return 0, nil, err
		}
		value, _, err := c.session.Get(path)
		return found(value, err)
	case target.Delete:
		return found(nil, c.session.Delete(path, -1))
	}
	return 0, nil, fmt.Errorf("zookeeper: operation %v is not one that it has", call.Op)
}

// put sets a node, which takes two steps the first time.
func (c *zkConn) put(path string, value []byte) error {
	_, err := c.session.Set(path, value, -1)
	if !errors.Is(err, zk.ErrNoNode) {
		return err
	}
	_, err = c.session.Create(path, value, 0, zk.WorldACL(zk.PermAll))
	if errors.Is(err, zk.ErrNodeExists) {
		_, err = c.session.Set(path, value, -1)
	}
	return err
}

func found(value []byte, err error) (target.Status, []byte, error) {
	if errors.Is(err, zk.ErrNoNode) {
		return target.NotFound, nil, nil
	}
	return target.OK, value, err
}
