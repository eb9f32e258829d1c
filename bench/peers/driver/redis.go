package driver

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"paxosbench/bench/target"
)

// redisServer is one server of Redis, spoken to through its makers' client.
type redisServer struct{ addr string }

// Capabilities implements target.Driver. Compare-and-set would take a script.
func (redisServer) Capabilities() target.Capabilities {
	return target.Capabilities{Get: true, Delete: true}
}

// redisPipelines is how many batches of one connection can be under way, each on a socket of its own.
const redisPipelines = 4

// Connect implements target.Driver. Nothing is sent a second time.
func (r redisServer) Connect(ctx context.Context) (target.Conn, error) {
	client := redis.NewClient(&redis.Options{
		Addr: r.addr, MaxRetries: -1, PoolSize: redisPipelines, MinIdleConns: redisPipelines, DisableIdentity: true,
	})
	if err := client.Ping(ctx).Err(); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	c := &redisConn{client: client, batches: make(chan []*target.Call, redisQueue)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	for range redisPipelines {
		go c.work()
	}
	return c, nil
}

// redisQueue is more batches than can be waiting: a batch has a call at least.
const redisQueue = 1 << 16

// redisConn sends what was submitted together as one pipeline.
type redisConn struct {
	client  *redis.Client
	batches chan []*target.Call
	ctx     context.Context
	cancel  context.CancelFunc
}

// Submit implements target.Conn. The slice is the caller's.
func (c *redisConn) Submit(calls []*target.Call) error {
	c.batches <- append([]*target.Call(nil), calls...)
	return nil
}

// Close implements target.Conn.
func (c *redisConn) Close() error {
	c.cancel()
	return c.client.Close()
}

// work sends batches until the connection is closed.
func (c *redisConn) work() {
	for {
		select {
		case <-c.ctx.Done():
			return
		case calls := <-c.batches:
			c.send(calls)
		}
	}
}

func (c *redisConn) send(calls []*target.Call) {
	pipe := c.client.Pipeline()
	for _, call := range calls {
		switch key := string(call.Key); call.Op {
		case target.Put:
			pipe.Set(c.ctx, key, call.Value, 0)
		case target.Get:
			pipe.Get(c.ctx, key)
		default:
			pipe.Del(c.ctx, key)
		}
	}
	answers, err := pipe.Exec(c.ctx)
	if len(answers) < len(calls) {
		calls[0].Fail(err)
		return
	}
	for i, call := range calls {
		complete(call, answers[i])
	}
}

// complete tells what came of a call.
func complete(call *target.Call, answer redis.Cmder) {
	err := answer.Err()
	var refused redis.Error
	switch found := answer.(type) {
	case *redis.StringCmd:
		if errors.Is(err, redis.Nil) {
			call.Complete(target.NotFound, nil)
			return
		}
		if err == nil {
			call.Complete(target.OK, []byte(found.Val()))
			return
		}
	case *redis.IntCmd:
		if err == nil && found.Val() == 0 {
			call.Complete(target.NotFound, nil)
			return
		}
	}
	switch {
	case err == nil:
		call.Complete(target.OK, nil)
	case errors.As(err, &refused):
		call.Reject(err)
	default:
		call.Fail(fmt.Errorf("redis: %w", err))
	}
}
