package secure

import (
	"crypto/tls"
	"net"
)

// Conn is a connection whose two ends have proved to each other who they are. It is used as any other is, or, before anything else
// has been done with it, parted for an event loop.
type Conn struct {
	*tls.Conn
	ground *ground
}

// ground is what a tls.Conn stands on: a socket, and memory once it has been parted.
type ground struct{ net.Conn }

// Part returns the socket, on which nothing has been read of what comes behind the handshake, and what encrypts and decrypts what
// passes over it. The Conn is of no use afterwards.
func (c *Conn) Part() (*net.TCPConn, *Records) {
	tcp := c.ground.Conn.(*socket).TCPConn
	r := &Records{conn: c.Conn}
	c.ground.Conn = &r.memory
	return tcp, r
}
