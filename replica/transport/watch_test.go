package transport

import (
	"errors"
	"testing"

	"paxosbench/replica/transport/freeport"
	"paxosbench/wire"
)

// watching starts replicas 1 and 2, and waits until they are up.
func watching(t *testing.T) (handlers [2]*testHandler, transports [2]*Transport, stops [2]func()) {
	one, two := freeport.Addr(t), freeport.Addr(t)
	for i, own := range []string{one, two} {
		cfg := peered(wire.ReplicaID(i+1), wire.ReplicaID(2-i), []string{two, one}[i])
		cfg.PeerAddr = own
		handlers[i] = newTestHandler()
		transports[i], stops[i] = start(t, cfg, handlers[i])
	}
	awaitPeer(t, transports[0], 2, 1)
	awaitPeer(t, transports[1], 1, 1)
	return handlers, transports, stops
}

// A replica whose process has ended is known to be gone by the one that dials, and by the one that does not.
func TestPeerGone(t *testing.T) {
	for ends := range 2 {
		handlers, _, stops := watching(t)
		stops[ends]()
		if got := receive(t, handlers[1-ends].gone); got != wire.ReplicaID(ends+1) {
			t.Errorf("replica %d is said to be gone, want %d", got, ends+1)
		}
	}
}

// A peer whose connections break, and which is there, is not gone.
func TestPeerNotGone(t *testing.T) {
	handlers, transports, _ := watching(t)
	for broken := uint64(1); broken <= 3; broken++ {
		onLoop(transports[broken%2], func() {
			for _, l := range transports[broken%2].peers[2-broken%2].lanes {
				l.end(errors.New("broken by the test"))
			}
		})
		awaitPeer(t, transports[0], 2, broken+1)
		awaitPeer(t, transports[1], 1, broken+1)
	}
	for i, h := range handlers {
		select {
		case id := <-h.gone:
			t.Errorf("replica %d says that %d is gone", i+1, id)
		default:
		}
	}
}
