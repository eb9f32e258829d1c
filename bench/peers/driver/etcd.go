package driver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"paxosbench/bench/target"
)

// etcd is a cluster of etcd, spoken to through its own client.
type etcd struct{ addrs []string }

// Capabilities implements target.Driver.
func (etcd) Capabilities() target.Capabilities {
	return target.Capabilities{Get: true, Delete: true, CompareAndSet: true}
}

// Connect connects to the member that leads: commands to others are passed on to it, which costs these processors of the host.
func (e etcd) Connect(ctx context.Context) (target.Conn, error) {
	var errs []error
	for _, addr := range e.addrs {
		client, err := dialEtcd(addr)
		if err != nil {
			return nil, err
		}
		status, err := askEtcd(ctx, client, addr)
		if err == nil && status.Header.MemberId == status.Leader {
			return newEtcdConn(client), nil
		}
		errs = append(errs, err, client.Close())
	}
	return nil, errors.Join(append(errs, errors.New("no member of etcd says that it leads"))...)
}

// dialEtcd makes a client of one member, which sends nothing a second time.
func dialEtcd(addr string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Endpoints: []string{"http://" + addr}, Logger: zap.NewNop(), MaxUnaryRetries: 1})
}

// etcdPatience is how long a member may take to say who leads, so that one that hangs does not keep the others from being asked.
const etcdPatience = 500 * time.Millisecond

func askEtcd(ctx context.Context, client *clientv3.Client, addr string) (*clientv3.StatusResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, etcdPatience)
	defer cancel()
	return client.Status(ctx, "http://"+addr)
}

// etcdConn is one connection of HTTP/2; every call under way is a stream on it, and a goroutine, as the client wants it.
type etcdConn struct {
	client *clientv3.Client
	ctx    context.Context // ends with the connection
	cancel context.CancelFunc
}

func newEtcdConn(client *clientv3.Client) *etcdConn {
	c := &etcdConn{client: client}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// Submit implements target.Conn.
func (c *etcdConn) Submit(calls []*target.Call) error {
	for _, call := range calls {
		go c.do(call)
	}
	return nil
}

// Close implements target.Conn.
func (c *etcdConn) Close() error {
	c.cancel()
	return c.client.Close()
}

// do carries out a call. What a member refuses because it has thousands of entries to apply it has not begun, and is asked again.
func (c *etcdConn) do(call *target.Call) {
	for {
		status, value, err := c.execute(call)
		switch {
		case err == nil:
			call.Complete(status, value)
			return
		case !errors.Is(err, rpctypes.ErrTooManyRequests):
			call.Fail(err)
			return
		}
		select {
		case <-c.ctx.Done():
			call.Fail(c.ctx.Err())
			return
		case <-time.After(etcdPause):
		}
	}
}

// etcdPause is what a member has to apply some hundreds of entries before it is asked again.
const etcdPause = 100 * time.Millisecond

func (c *etcdConn) execute(call *target.Call) (target.Status, []byte, error) {
	key := string(call.Key)
	switch call.Op {
	case target.Put:
		_, err := c.client.Put(c.ctx, key, string(call.Value))
		return target.OK, nil, err
	case target.Get:
		found, err := c.client.Get(c.ctx, key) // linearizable unless asked for otherwise
		if err != nil || len(found.Kvs) == 0 {
			return target.NotFound, nil, err
		}
		return target.OK, found.Kvs[0].Value, nil
	case target.Delete:
		deleted, err := c.client.Delete(c.ctx, key)
		if err != nil || deleted.Deleted == 0 {
			return target.NotFound, nil, err
		}
		return target.OK, nil, nil
	case target.CompareAndSet:
		return c.compareAndSet(call, key)
	}
	return 0, nil, fmt.Errorf("etcd: operation %v is unknown", call.Op)
}

// compareAndSet is a transaction.
func (c *etcdConn) compareAndSet(call *target.Call, key string) (target.Status, []byte, error) {
	expected := clientv3.Compare(clientv3.Value(key), "=", string(call.Expected))
	if call.Absent {
		expected = clientv3.Compare(clientv3.CreateRevision(key), "=", 0)
	}
	done, err := c.client.Txn(c.ctx).If(expected).Then(clientv3.OpPut(key, string(call.Value))).Commit()
	if err != nil || !done.Succeeded {
		return target.Mismatch, nil, err
	}
	return target.OK, nil, nil
}
