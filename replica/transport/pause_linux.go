package transport

import (
	"errors"
	"reflect"

	"github.com/panjf2000/gnet/v2"
	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"golang.org/x/sys/unix"
)

// gnet reads every connection for as long as it is open, and knows no back-pressure. So a connection that is to wait is told
// to the kernel's poller itself. gnet does not mind: it asks for bytes again when it has written everything that was queued,
// which is when they are welcome.

var errNoPoller = errors.New("transport: this version of gnet keeps its poller elsewhere: connections could not be paused")

// pollerOf returns the descriptor of the epoll instance of a loop, which gnet has no method for.
func pollerOf(loop gnet.EventLoop) (int, error) {
	v := reflect.ValueOf(loop)
	for _, name := range []string{"poller", "fd"} {
		if v = reflect.Indirect(v); v.Kind() != reflect.Struct {
			return 0, errNoPoller
		}
		v = v.FieldByName(name)
	}
	if !v.CanInt() {
		return 0, errNoPoller
	}
	return int(v.Int()), nil
}

// pauses say what a client waits for that is not read.
type pauses uint8

const (
	forRoom pauses = 1 << iota // until it has taken answers, see unread
	forTurn                    // see turns
)

// pause stops reading the client until resume, or until everything that is queued for it has been written.
func (c *Client) pause(why pauses) {
	c.paused |= why
	c.watch(0)
}

// resume has a client that was paused read again, unless it waits for something else as well.
func (c *Client) resume(why pauses) {
	if c.paused&why == 0 {
		return
	}
	if c.paused &^= why; c.paused == 0 {
		c.watch(netpoll.ReadEvents)
	}
}

// watch has the client watched for events, and for room to write if there is something to be written.
func (c *Client) watch(events uint32) {
	if c.raw.OutboundBuffered() > 0 {
		events |= netpoll.WriteEvents
	}
	fd := c.raw.Fd()
	if err := unix.EpollCtl(c.t.poller, unix.EPOLL_CTL_MOD, fd, &unix.EpollEvent{Fd: int32(fd), Events: events}); err != nil {
		c.t.log.Warn("cannot change what a connection is watched for, closing it", "client", c.origin.remote, "error", err)
		c.close()
	}
}
