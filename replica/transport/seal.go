package transport

// What passes over a connection that is secured is encrypted and decrypted by the loop, in two buffers that all connections share. What
// is queued in gnet, and what bounds count, is what passes over the socket.

// sealPiece is how much is encrypted before it is written.
const sealPiece = 256 << 10

// unseal takes what has been read of the connection.
func (c *conn) unseal(data []byte, end endpoint) {
	plain, err := c.records.Open(c.t.plain[:0], data)
	c.t.plain = plain[:0]
	end.received(plain)
	if err != nil && c.live() {
		c.reason = err
		c.close()
	}
}

// seal sends plain texts.
func (c *conn) seal(plain ...[]byte) {
	out := c.t.sealed[:0]
	for _, text := range plain {
		for len(text) > 0 {
			piece := text[:min(len(text), sealPiece)]
			text = text[len(piece):]
			var err error
			if out, err = c.records.Seal(out, piece); err != nil {
				c.reason = err
				c.close()
				return
			}
			if len(out) >= sealPiece {
				c.put(out)
				if out = out[:0]; !c.live() {
					return
				}
			}
		}
	}
	if len(out) > 0 {
		c.put(out)
	}
	c.t.sealed = out[:0]
}

// takeLeave says on a connection that is secured and being closed that nothing more will be sent.
func (c *conn) takeLeave() {
	if c.records == nil || !c.live() {
		return
	}
	_, _ = c.raw.Write(c.records.Close(nil)) // as far as the socket takes it
}
