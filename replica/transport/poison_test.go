//go:build poison

package transport

import (
	"bytes"
	"testing"

	"paxosbench/wire"
)

// With the tag, a view kept beyond its callback is overwritten, whether the frame came whole or in pieces.
func TestPoison(t *testing.T) {
	h := newTestHandler()
	var kept [][]byte
	h.request = func(c *Client, body []byte) error {
		kept = append(kept, body)
		echo(c, body, wire.TypeReply)
		return nil
	}
	tr, _ := start(t, testConfig(), h)
	r := join(t, tr)
	body := pattern(5000, 1)
	frame := requestFrame(body)
	for i, cut := range []int{len(frame), 100} {
		r.send(frame[:cut])
		onLoop(tr, func() {}) // likely to part the two pieces; if not, the frame comes whole
		r.send(frame[cut:])
		if got := r.expect(wire.TypeReply); !bytes.Equal(got, body) {
			t.Error("a view is overwritten too early")
		}
		onLoop(tr, func() {
			if !bytes.Equal(kept[i], bytes.Repeat([]byte{poisonByte}, len(body))) {
				t.Errorf("view %d survives its callback", i)
			}
		})
	}
}
