package client_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"paxosbench/wire"
	"paxosbench/wire/client"
	"paxosbench/wire/client/clienttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what is not meant to take long.
const patience = time.Minute

func listen(t *testing.T, cfg clienttest.Config) *clienttest.Server {
	t.Helper()
	server, err := clienttest.Listen("", cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server
}

// dial returns a client of servers, and a context that ends if something hangs.
func dial(t *testing.T, servers ...*clienttest.Server) (context.Context, *client.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	var cfg client.Config
	for _, s := range servers {
		cfg.Addrs = append(cfg.Addrs, s.Addr())
	}
	c, err := client.Dial(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return ctx, c
}

// A name stands for all its addresses, of which the server has one.
func TestNames(t *testing.T) {
	server := listen(t, clienttest.Config{})
	_, port, err := net.SplitHostPort(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := client.Dial(ctx, client.Config{Addrs: []string{"localhost:" + port}})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "put", c.Put(ctx, nil, nil))
	want(t, "close", c.Close())
	cancel()
	_, err = client.Dial(ctx, client.Config{Addrs: []string{"no-such-host.invalid:1"}})
	if err == nil {
		t.Error("a name that cannot be looked up is no error")
	}
}

// want checks that an error is all of those, or nil if there are none, and that it is not of unknown outcome if that is not among them.
func want(t *testing.T, what string, err error, all ...error) {
	t.Helper()
	if len(all) == 0 && err != nil {
		t.Errorf("%s: %v", what, err)
	}
	for _, one := range all {
		if !errors.Is(err, one) {
			t.Errorf("%s: %v, want %v", what, err, one)
		}
	}
	if errors.Is(err, client.ErrUnknownOutcome) && !slices.Contains(all, client.ErrUnknownOutcome) {
		t.Errorf("%s: %v: the outcome is known", what, err)
	}
}

// Each operation does what it says, and says what came of it; however gets are served.
func TestOperations(t *testing.T) {
	for _, reads := range []wire.Reads{wire.ReadsLog, wire.ReadsIndex, wire.ReadsLease} {
		server := listen(t, clienttest.Config{Reads: reads})
		ctx, c := dial(t, server)
		key, one, two := []byte("key"), []byte("one"), []byte("two")
		_, err := c.Get(ctx, key)
		want(t, "get of nothing", err, client.ErrNotFound)
		want(t, "delete of nothing", c.Delete(ctx, key), client.ErrNotFound)
		want(t, "put", c.Put(ctx, key, one))
		want(t, "create of what is there", c.Create(ctx, key, two), client.ErrMismatch)
		want(t, "compare-and-set of another", c.CompareAndSet(ctx, key, two, two), client.ErrMismatch)
		want(t, "compare-and-set", c.CompareAndSet(ctx, key, one, two))
		value, err := c.Get(ctx, key)
		want(t, "get", err)
		if !bytes.Equal(value, two) {
			t.Errorf("%v: the key holds %q", reads, value)
		}
		want(t, "delete", c.Delete(ctx, key))
		want(t, "create", c.Create(ctx, key, nil))
		server.State().LimitKeys(1)
		want(t, "put into a full store", c.Put(ctx, []byte("another"), one), client.ErrFull)
		want(t, "create in a full store", c.Create(ctx, []byte("another"), one), client.ErrFull)
		want(t, "put over what is there", c.Put(ctx, key, one))
		if queried := server.State().Queried(); (queried == 2) != (reads != wire.ReadsLog) {
			t.Errorf("%v: %d gets went beside the log", reads, queried)
		}
	}
}

// What cannot be sent is refused before it is, and nothing else notices.
func TestBadCommandsAmongGoodOnes(t *testing.T) {
	server := listen(t, clienttest.Config{})
	ctx, c := dial(t, server)
	bad := []struct {
		client.Command
		want error
	}{
		{client.Command{Op: client.Put, Key: []byte("k"), Value: make([]byte, wire.MaxValue+1)}, client.ErrTooLarge},
		{client.Command{Op: client.Put, Key: make([]byte, wire.MaxKey+1)}, client.ErrTooLarge},
		{client.Command{Op: client.Get, Key: make([]byte, wire.MaxKey+1)}, client.ErrTooLarge},
		{client.Command{Op: client.CompareAndSet, Value: make([]byte, wire.MaxValue-8), Expected: make([]byte, 5)}, client.ErrTooLarge},
		{client.Command{Op: client.CompareAndSet, Expected: []byte("x"), Absent: true}, client.ErrInvalid},
		{client.Command{Op: wire.OpRegister}, client.ErrInvalid},
		{client.Command{}, client.ErrInvalid},
	}
	var good atomic.Int64
	var under sync.WaitGroup
	for i := range 1000 {
		under.Add(1)
		put := client.Command{Op: client.Put, Key: binary.LittleEndian.AppendUint64(nil, uint64(i)), Value: make([]byte, i)}
		err := c.Submit(ctx, put, func(r client.Result) {
			defer under.Done()
			if r.Err == nil {
				good.Add(1)
			}
		})
		want(t, "a good one", err)
		one := bad[i%len(bad)]
		err = c.Submit(ctx, one.Command, func(client.Result) { t.Error("a command that was refused has an outcome") })
		want(t, "a bad one", err, one.want)
	}
	under.Wait()
	want(t, "the largest", c.Put(ctx, make([]byte, wire.MaxKey), make([]byte, wire.MaxValue)))
	if good.Load() != 1000 || server.State().Executed() != 1001 {
		t.Errorf("%d outcomes, %d executed", good.Load(), server.State().Executed())
	}
}

// Operations of one goroutine take effect in order, also those that are not waited for; a slice is the caller's again at once.
func TestOrder(t *testing.T) {
	server := listen(t, clienttest.Config{})
	ctx, c := dial(t, server)
	key, value := []byte("key"), make([]byte, 8)
	var order []uint64
	for i := range uint64(5000) {
		binary.LittleEndian.PutUint64(value, i)
		want(t, "put", c.Submit(ctx, client.Command{Op: client.Put, Key: key, Value: value}, func(client.Result) { order = append(order, i) }))
	}
	got, err := c.Get(ctx, key)
	want(t, "get", err)
	if binary.LittleEndian.Uint64(got) != 4999 || len(order) != 5000 || !slices.IsSorted(order) {
		t.Errorf("the key holds %d after %d outcomes", got, len(order))
	}
}

// increment adds one to a counter that others add to as well. It returns how often it did for certain, and how often perhaps.
func increment(ctx context.Context, c *client.Client, key []byte) (certain, perhaps int64) {
	for {
		old, err := c.Get(ctx, key)
		if err != nil {
			return certain, perhaps
		}
		next := binary.LittleEndian.AppendUint64(nil, binary.LittleEndian.Uint64(old)+1)
		switch err := c.CompareAndSet(ctx, key, old, next); {
		case err == nil:
			return certain + 1, perhaps
		case errors.Is(err, client.ErrUnknownOutcome):
			perhaps++
		case !errors.Is(err, client.ErrMismatch):
			return certain, perhaps
		}
	}
}

// Many goroutines share a client while connections break, the leader moves between servers, and sessions are evicted: what was reported
// to have taken effect did, once, and what was reported not to did not.
func TestExactlyOnceWhateverHappens(t *testing.T) {
	state := clienttest.NewState()
	var runs, leader atomic.Int64
	var mu sync.Mutex // until all servers are there
	servers := make([]*clienttest.Server, 3)
	intercept := func(*wire.Run) clienttest.Action {
		switch n := runs.Add(1); {
		case n%31 == 0:
			return clienttest.Action{DropReply: true}
		case n%47 == 0:
			return clienttest.Action{Disconnect: true}
		case n%73 == 0:
			leader.Add(1)
			return clienttest.Action{Redirect: &wire.Redirect{}}
		case n%101 == 0:
			state.EvictAll()
		case n%37 == 0:
			return clienttest.Action{Refuse: wire.StatusBusy}
		}
		return clienttest.Action{}
	}
	mu.Lock()
	for i := range servers {
		servers[i] = listen(t, clienttest.Config{ID: wire.ReplicaID(i + 1), State: state, Intercept: intercept, Leader: func() (wire.ReplicaID, string) {
			mu.Lock()
			defer mu.Unlock()
			at := leader.Load() % 3
			return wire.ReplicaID(at + 1), servers[at].Addr()
		}})
	}
	mu.Unlock()
	ctx, c := dial(t, servers...)
	key := []byte("counter")
	for errors.Is(c.Put(ctx, key, make([]byte, 8)), client.ErrUnknownOutcome) {
	}
	var certain, perhaps atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 20 {
				sure, unsure := increment(ctx, c, key)
				certain.Add(sure)
				perhaps.Add(unsure)
			}
		})
	}
	all.Wait()
	count := int64(binary.LittleEndian.Uint64(state.Value(key)))
	if certain.Load() != 320 || count < certain.Load() || count > certain.Load()+perhaps.Load() {
		t.Errorf("%d increments for certain and %d perhaps have come to %d", certain.Load(), perhaps.Load(), count)
	}
	if runs.Load() < 101 {
		t.Errorf("only %d runs", runs.Load())
	}
}

// gate is a server whose answers to a client wait until it is opened.
func gate(t *testing.T, reads wire.Reads) (server *clienttest.Server, shut *atomic.Bool, open func()) {
	t.Helper()
	opened := make(chan struct{})
	open = sync.OnceFunc(func() { close(opened) })
	shut = new(atomic.Bool)
	server = listen(t, clienttest.Config{Reads: reads, Intercept: func(*wire.Run) clienttest.Action {
		if shut.Load() {
			<-opened
		}
		return clienttest.Action{}
	}})
	t.Cleanup(open) // before the server is closed
	return server, shut, open
}

// soon is a context that ends while nothing is answered.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// A context that ends while its operation is under way ends it at once: the outcome of a command is unknown then, a get has none. The
// session goes on.
func TestContextEndsUnderWay(t *testing.T) {
	for _, reads := range []wire.Reads{wire.ReadsLog, wire.ReadsLease} {
		server, shut, open := gate(t, reads)
		ctx, c := dial(t, server)
		shut.Store(true)
		want(t, "put", c.Put(soon(t), []byte("a"), nil), context.DeadlineExceeded, client.ErrUnknownOutcome)
		_, err := c.Get(soon(t), []byte("a"))
		want(t, "get", err, context.DeadlineExceeded)
		canceled, cancel := context.WithCancel(ctx)
		result := make(chan client.Result, 1)
		want(t, "submit", c.Submit(canceled, client.Command{Op: client.Delete, Key: []byte("a")}, func(r client.Result) { result <- r }))
		cancel()
		if err := (<-result).Err; !errors.Is(err, context.Canceled) { // whether it was handed over depends
			t.Errorf("delete: %v", err)
		}
		want(t, "put after its context", c.Put(canceled, []byte("b"), nil), context.Canceled)
		shut.Store(false)
		open()
		want(t, "put after all", c.Put(ctx, []byte("c"), nil))
	}
}

// Without a leader nothing is sent, and whoever stops waiting knows that nothing was done.
func TestContextEndsWithoutLeader(t *testing.T) {
	state := clienttest.NewState()
	server := listen(t, clienttest.Config{State: state})
	ctx, c := dial(t, server)
	want(t, "put", c.Put(ctx, []byte("a"), nil))
	addr := server.Addr()
	server.Close()
	var err error
	for ctx.Err() == nil && !errors.Is(err, client.ErrNoLeader) { // until the end of the connection is noticed
		err = c.Put(soon(t), []byte("b"), nil)
	}
	for range 20 {
		want(t, "put", c.Put(soon(t), []byte("b"), nil), context.DeadlineExceeded, client.ErrNoLeader)
	}
	waiting := make(chan error)
	go func() { waiting <- c.Put(ctx, []byte("c"), []byte("late")) }()
	again, err := clienttest.Listen(addr, clienttest.Config{State: state})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	want(t, "put that has waited", <-waiting)
	if state.Executed() != 2 && state.Executed() != 3 { // the first b may have been under way
		t.Errorf("%d commands were executed", state.Executed())
	}
}

// Submitting waits when too much is under way, and what is refused for that was not done.
func TestMaxBytes(t *testing.T) {
	server, shut, open := gate(t, wire.ReadsLog)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := client.Dial(ctx, client.Config{Addrs: []string{server.Addr()}, MaxBytes: 2 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	shut.Store(true)
	half := client.Command{Op: client.Put, Key: []byte("k"), Value: make([]byte, 1<<20-256)}
	var answers atomic.Int64
	answered := func(client.Result) { answers.Add(1) }
	want(t, "one half", c.Submit(ctx, half, answered))
	want(t, "the other", c.Submit(ctx, half, answered))
	want(t, "one too many", c.Submit(soon(t), half, answered), context.DeadlineExceeded)
	shut.Store(false)
	open()
	want(t, "when there is room", c.Submit(ctx, half, answered))
	want(t, "the last", c.Put(ctx, nil, nil))
	if answers.Load() != 3 || server.State().Executed() != 4 {
		t.Errorf("%d outcomes of %d executed", answers.Load(), server.State().Executed())
	}
}

// The outcome of what a lost session had under way is unknown. Gets, and what comes later, go on in another one.
func TestLostSession(t *testing.T) {
	server := listen(t, clienttest.Config{})
	ctx, c := dial(t, server)
	want(t, "put", c.Put(ctx, []byte("a"), []byte("1")))
	server.State().EvictAll()
	want(t, "put on a lost session", c.Put(ctx, []byte("a"), []byte("2")), client.ErrUnknownOutcome)
	want(t, "put on the next", c.Put(ctx, []byte("a"), []byte("3")))
	server.State().EvictAll()
	value, err := c.Get(ctx, []byte("a"))
	want(t, "get on a lost session", err)
	if string(value) != "3" {
		t.Errorf("the key holds %q", value)
	}
}

// With credentials both sides prove who they are; without them nothing comes about, and the error says why.
func TestSecured(t *testing.T) {
	replica, user := clienttest.Credentials(t)
	addr := clienttest.Front(t, listen(t, clienttest.Config{}), replica)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := client.Dial(ctx, client.Config{Addrs: []string{addr}, Credentials: user})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	want(t, "put", c.Put(ctx, []byte("key"), []byte("value")))
	_, foreign := clienttest.Credentials(t)
	short, cancelShort := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancelShort()
	_, err = client.Dial(short, client.Config{Addrs: []string{addr}, Credentials: foreign})
	want(t, "dial with credentials of another authority", err, client.ErrNoLeader, context.DeadlineExceeded)
}

// Closing ends everything, at once.
func TestClose(t *testing.T) {
	server, shut, _ := gate(t, wire.ReadsLog)
	ctx, c := dial(t, server)
	shut.Store(true)
	results := make(chan error, 200)
	for i := range 100 {
		op := client.Put
		if i%2 == 1 {
			op = client.Get
		}
		want(t, "submit", c.Submit(ctx, client.Command{Op: op}, func(r client.Result) { results <- r.Err }))
		go func() { results <- c.Put(ctx, nil, nil) }()
	}
	want(t, "close", c.Close())
	want(t, "close again", c.Close())
	for range 200 {
		if err := <-results; !errors.Is(err, client.ErrClosed) {
			t.Errorf("%v", err)
		}
	}
	want(t, "put", c.Put(ctx, nil, nil), client.ErrClosed)
	want(t, "submit", c.Submit(ctx, client.Command{Op: client.Get}, nil), client.ErrClosed)
}

// Dial says what is wrong, and leaves nothing behind.
func TestDialInVain(t *testing.T) {
	follower := listen(t, clienttest.Config{ID: 2, Leader: func() (wire.ReplicaID, string) { return 0, "" }})
	_, err := client.Dial(soon(t), client.Config{Addrs: []string{follower.Addr()}})
	want(t, "no leader", err, client.ErrNoLeader, context.DeadlineExceeded)
	_, err = client.Dial(soon(t), client.Config{Addrs: []string{"127.0.0.1:1"}})
	want(t, "nobody", err, client.ErrNoLeader, context.DeadlineExceeded)
	for _, cfg := range []client.Config{{}, {Addrs: []string{"no port"}}, {Addrs: []string{"127.0.0.1:1"}, MaxBytes: 1}} {
		if _, err := client.Dial(t.Context(), cfg); err == nil {
			t.Errorf("%+v: no error", cfg)
		}
	}
}

// A client that has nothing to do is woken by what is submitted, not by a timer: one after the other takes as many rounds as there are
// operations, and no time.
func BenchmarkSerialPut(b *testing.B) {
	server, err := clienttest.Listen("", clienttest.Config{State: clienttest.NewNoopState()})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	c, err := client.Dial(b.Context(), client.Config{Addrs: []string{server.Addr()}})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	for b.Loop() {
		if err := c.Put(b.Context(), []byte("key"), []byte("value")); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSubmit has thousands under way.
func BenchmarkSubmit(b *testing.B) {
	server, err := clienttest.Listen("", clienttest.Config{State: clienttest.NewNoopState()})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	c, err := client.Dial(b.Context(), client.Config{Addrs: []string{server.Addr()}, MaxBytes: 2 << 20})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	var under sync.WaitGroup
	put := client.Command{Op: client.Put, Key: make([]byte, 8), Value: make([]byte, 8)}
	for b.Loop() {
		under.Add(1)
		if err := c.Submit(b.Context(), put, func(client.Result) { under.Done() }); err != nil {
			b.Fatal(err)
		}
	}
	under.Wait()
}
