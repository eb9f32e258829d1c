package transport

import (
	"container/list"
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// Clients that are idle keep their places as long as there are others. When all are taken, the one that has been idle longest
// gives way to whoever comes; an address that holds more than its share of the places only to itself. A client that waits for
// answers is not idle. If none is, an address or identity that has far more places than whoever comes gives it one all the same: who
// keeps all of them busy keeps nobody out.
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

	// hostShare is the part of all places of which an address may drive out idle ones of others: one in so many.
	hostShare = 2

	// crowdShare is how many times as many places an address has as another one, and gives it one though it is at work.
	crowdShare = 2
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
	t.Post(func() { made <- t.endOne(host) })
	select {
	case ok := <-made:
		return ok
	case <-ctx.Done():
		return false
	}
}

// endOne closes the client that gives way to one from host, and reports whether there is one.
func (t *Transport) endOne(host string) bool {
	among := host
	if t.idle.hosts[host] < t.cfg.MaxClients/hostShare {
		among = ""
	}
	if c := t.idle.longest(t.now, leastIdle, among, t.handler.Waits); c != nil {
		c.fault(FaultIdle, fmt.Sprintf("idle for %v, and all %d places are taken: connect again when there is something to send",
			(t.now-c.silentSince).Round(time.Second), t.cfg.MaxClients))
		return true
	}
	c := t.clients.ofMost(t.idle.hosts)
	if c == nil || t.idle.hosts[c.origin.host] <= crowdShare*(t.idle.hosts[host]+1) {
		return false
	}
	c.fault(FaultShortage, fmt.Sprintf("all %d places are taken, %d of them by %s, and others need one: use fewer connections",
		t.cfg.MaxClients, t.idle.hosts[c.origin.host], c.origin.host))
	return true
}

// ofMost returns, of some clients drawn at random, one of the address that has most, nil if there is none. Of an address that has half of
// all places there is one.
func (t *clientTable) ofMost(hosts map[string]int) (c *Client) {
	if len(t.places) == 0 {
		return nil
	}
	for range idleSearch {
		drawn := t.places[rand.IntN(len(t.places))].client
		if drawn != nil && (c == nil || hosts[drawn.origin.host] > hosts[c.origin.host]) {
			c = drawn
		}
	}
	return c
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
