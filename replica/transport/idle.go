package transport

import (
	"container/list"
	"context"
	"fmt"
	"time"
)

// Clients that are idle keep their places as long as there are others. When all are taken, the one that has been idle longest
// gives way to whoever comes; an address that holds more than its share of the places only to itself. A client that waits for
// answers is not idle.
//
// idle orders the clients by when bytes last came from them, to within idleGrain, so that the order costs a connection next to
// nothing however busy it is. It belongs to the loop.
type idle struct {
	order list.List      // of *Client, the one that has been silent longest in front
	hosts map[string]int // clients of each address
}

const (
	// idleGrain is how exact the order is.
	idleGrain = 250 * time.Millisecond

	// leastIdle is for how long a client must have been silent before it gives way: one that has just come has its chance.
	leastIdle = time.Second

	// idleSearch is how many clients are looked at for one that may give way.
	idleSearch = 64

	// hostShare is the part of all places of which an address may drive out others: one in so many.
	hostShare = 2
)

// add begins with a client that has just come.
func (i *idle) add(c *Client) {
	if i.hosts == nil {
		i.hosts = make(map[string]int)
	}
	c.silentSince = c.t.now
	c.idle = i.order.PushBack(c)
	i.hosts[c.origin.host]++
}

func (i *idle) remove(c *Client) {
	i.order.Remove(c.idle)
	if i.hosts[c.origin.host]--; i.hosts[c.origin.host] == 0 {
		delete(i.hosts, c.origin.host)
	}
}

// heard notes that bytes have come.
func (i *idle) heard(c *Client) {
	if c.t.now-c.silentSince > idleGrain {
		c.silentSince = c.t.now
		i.order.MoveToBack(c.idle)
	}
}

// longest returns the client that has been idle longest, and at least for so long, nil if there is none. With a host it is one
// of that address.
func (i *idle) longest(now, least time.Duration, host string, waits func(*Client) bool) *Client {
	at := i.order.Front()
	for range idleSearch {
		if at == nil {
			return nil
		}
		c := at.Value.(*Client)
		if now-c.silentSince < least {
			return nil // and so have all that follow been heard
		}
		next := at.Next()
		switch {
		case c.greeted && waits(c):
			c.silentSince = now // it is not looked at again soon
			i.order.MoveToBack(at)
		case host == "" || c.origin.host == host:
			return c
		}
		at = next
	}
	return nil
}

// makeRoom has an idle client give its place to one from host, and reports whether there is one. Any goroutine but the loop's
// may call it.
func (t *Transport) makeRoom(ctx context.Context, host string) bool {
	made := make(chan bool, 1)
	t.Post(func() {
		if t.idle.hosts[host] < t.cfg.MaxClients/hostShare {
			host = ""
		}
		c := t.idle.longest(t.now, leastIdle, host, t.handler.Waits)
		if c != nil {
			c.fault(FaultIdle, fmt.Sprintf("idle for %v, and all %d places are taken: connect again when there is something to send",
				(t.now-c.silentSince).Round(time.Second), t.cfg.MaxClients))
		}
		made <- c != nil
	})
	select {
	case ok := <-made:
		return ok
	case <-ctx.Done():
		return false
	}
}

// endIdle closes the clients that have been idle for longer than they may, whether or not places are short.
func (t *Transport) endIdle() {
	if t.cfg.IdleTimeout == 0 {
		return
	}
	for {
		c := t.idle.longest(t.now, t.cfg.IdleTimeout, "", t.handler.Waits)
		if c == nil {
			return
		}
		c.fault(FaultIdle, fmt.Sprintf("idle for %v: connect again when there is something to send", t.cfg.IdleTimeout))
	}
}
