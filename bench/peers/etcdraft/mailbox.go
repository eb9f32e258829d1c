package etcdraft

import "sync"

// mailbox is a queue without a bound: what is in it is bounded by what the protocol lets be under way. Mailboxes that one
// goroutine empties may share what wakes it.
type mailbox[T any] struct {
	wake chan struct{}

	mu     sync.Mutex
	list   []T
	closed bool
}

func newMailbox[T any](wake chan struct{}) *mailbox[T] { return &mailbox[T]{wake: wake} }

func (b *mailbox[T]) push(v T) {
	b.mu.Lock()
	b.list = append(b.list, v)
	first := len(b.list) == 1
	b.mu.Unlock()
	if first {
		b.signal()
	}
}

func (b *mailbox[T]) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take empties the mailbox.
func (b *mailbox[T]) take() []T {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.list
	b.list = nil
	return list
}

// wait empties the mailbox once there is something in it. It returns nothing when the mailbox is closed.
func (b *mailbox[T]) wait() []T {
	for range b.wake {
		b.mu.Lock()
		closed := b.closed
		b.mu.Unlock()
		if closed {
			return nil
		}
		if list := b.take(); len(list) > 0 {
			return list
		}
	}
	return nil
}

func (b *mailbox[T]) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.signal()
}
