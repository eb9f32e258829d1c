package node_test

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"paxosbench/batching"
	"paxosbench/replica/node"
	"paxosbench/wire"
)

// keyOf returns the key that the tests of queries write and read.
func keyOf(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }

// write puts a value under key n and waits until the leader has applied it.
func (c *trio) write(n uint64, value []byte) {
	c.t.Helper()
	leader := c.leader()
	before := leader.node.Stats().CommandsApplied
	c.request(wire.AppendCommand(nil, wire.OpPut, 0, keyOf(n), value), wire.MakeSessionID(1, 0), 1)
	c.until("write", func() bool { return leader.node.Stats().CommandsApplied > before })
}

// gets returns a fragment of gets of the given keys, in runs of at most perRun, numbered from 1 in one session.
func gets(perRun int, keys ...uint64) []byte {
	var fragment []byte
	for at := 0; at < len(keys); at += perRun {
		part := keys[at:min(at+perRun, len(keys))]
		var commands []byte
		for _, key := range part {
			commands = wire.AppendCommand(commands, wire.OpGet, 0, keyOf(key), nil)
		}
		fragment = wire.AppendRunHeader(fragment, 9, wire.Seq(at+1), wire.Seq(at), len(part), len(commands))
		fragment = append(fragment, commands...)
	}
	return fragment
}

// query gives a replica that leads a query; it has no round yet.
func (r *replica) query(origin batching.Origin, keys ...uint64) {
	if err := r.node.Query(r.client(origin), gets(2, keys...)); err != nil {
		r.trio.t.Fatal(err)
	}
}

// results returns what the answers to an origin say, by sequence number.
func (r *replica) results(origin batching.Origin) map[wire.Seq]wire.Result {
	found := map[wire.Seq]wire.Result{}
	for _, a := range r.answers {
		for body := a.runs; a.origin == origin && len(body) > 0; {
			run, n, err := wire.DecodeReplyRun(body)
			if err != nil {
				r.trio.t.Fatal(err)
			}
			body = body[n:]
			for i, rest := 0, run.Results; i < run.Count; i++ {
				result := wire.Result{Status: run.Status}
				if !run.Uniform {
					if result, n, err = wire.DecodeResult(rest); err != nil {
						r.trio.t.Fatal(err)
					}
					rest = rest[n:]
				}
				found[run.First+wire.Seq(i)] = result
			}
		}
	}
	return found
}

// Without a lease a query waits for a round of heartbeats, which all queries share that came before it began, and is
// answered without a slot of the log.
func TestQueriesShareARound(t *testing.T) {
	c := newTrio(t, false)
	c.start()
	c.write(1, []byte("value"))
	leader := c.leader()
	commit := leader.node.Core().Commit()

	leader.query(7, 1, 2, 1)
	leader.query(8, 2)
	leader.round()
	if len(leader.answers) != 0 {
		t.Fatal("answered before the leadership is confirmed")
	}
	c.until("answers", func() bool { return len(leader.answers) == 2 })
	got := leader.results(7)
	if string(got[1].Value) != "value" || got[2].Status != wire.StatusNotFound || string(got[3].Value) != "value" || len(got) != 3 {
		t.Errorf("results %v", got)
	}
	if got := leader.results(8); got[1].Status != wire.StatusNotFound || len(got) != 1 {
		t.Errorf("results %v", got)
	}
	if rounds := leader.node.Core().Stats().ReadRounds; rounds > 1 {
		t.Errorf("%d rounds for two queries that came together", rounds)
	}
	if stats := leader.node.Stats(); stats.QueriesAnswered != 4 || leader.node.Core().Commit() != commit || leader.node.QueryBytes() != 0 {
		t.Errorf("%d answered, commit %d after %d, %d bytes waiting", stats.QueriesAnswered, leader.node.Core().Commit(), commit, leader.node.QueryBytes())
	}
}

func TestQueryUnderALease(t *testing.T) {
	c := newTrio(t, false)
	c.leases = true
	c.start()
	c.write(1, []byte("value"))
	leader := c.leader()
	c.until("a lease", func() bool { return leader.node.Core().HoldsLease(c.now) })
	leader.query(7, 1)
	leader.round()
	if got := leader.results(7); string(got[1].Value) != "value" {
		t.Errorf("results %v", got)
	}
	if rounds := leader.node.Core().Stats().ReadRounds; rounds != 0 {
		t.Errorf("%d rounds under a lease", rounds)
	}
}

// A leader that is cut off goes on taking queries for a while. Whatever it answers, nobody else leads by then; what it
// has not answered when it finds out, it never answers.
func TestDeposedLeaderAnswersNoQuery(t *testing.T) {
	for _, leases := range []bool{false, true} {
		c := newTrio(t, false)
		c.leases = leases
		c.start()
		c.write(1, []byte("old"))
		old := c.leader()
		c.until("a lease, or none to be had", func() bool { return !leases || old.node.Core().HoldsLease(c.now) })
		c.queue, c.lose = nil, func(m *wire.Message) bool { return m.From == old.id || m.To == old.id }

		asked := batching.Origin(0)
		successor := func() *replica {
			for _, r := range c.replicas[1:] {
				if r != old && r.node.Leads() {
					return r
				}
			}
			return nil
		}
		c.until("a successor", func() bool {
			if old.node.Leads() {
				asked++
				old.query(asked, 1)
				old.round()
			}
			return successor() != nil
		})
		answered := len(old.answers)
		if leases != (answered > 0) || answered == int(asked) {
			t.Fatalf("leases %v: %d of %d queries answered by a leader that is cut off", leases, answered, asked)
		}
		next := successor()
		old.up = !old.node.Leads() // leader() is to find the successor
		c.write(1, []byte("new"))
		old.up, c.lose = true, nil
		c.until("one leader", func() bool { return !old.node.Leads() && next.node.Leads() })
		c.settle()
		if len(old.answers) != answered || old.node.QueryBytes() != 0 {
			t.Errorf("leases %v: %d queries answered after another led, %d bytes still wait", leases, len(old.answers)-answered, old.node.QueryBytes())
		}
		next.query(1, 1)
		c.until("the successor's answer", func() bool { next.round(); return len(next.answers) > 0 })
		if got := next.results(1); string(got[1].Value) != "new" {
			t.Errorf("leases %v: the successor says %v", leases, got)
		}
	}
}

// Answers longer than a frame, or than what a round may append, come in several.
func TestAnswersComeInFrames(t *testing.T) {
	c := newTrio(t, true)
	c.start()
	value := bytes.Repeat([]byte("v"), wire.MaxValue)
	c.write(1, value)
	leader := c.leader()
	const count = 100
	for origin, fragment := range map[batching.Origin][]byte{
		7: gets(3, make([]uint64, count)...), // key 0, which there is not
		8: gets(count, ones(count)...),
	} {
		if err := leader.node.Query(leader.client(origin), fragment); err != nil {
			t.Fatal(err)
		}
	}
	c.until("all answers", func() bool {
		total := 0
		for _, a := range leader.answers {
			total += len(a.runs)
		}
		leader.node.Tick(c.now)
		return total > count*wire.MaxValue
	})
	for _, a := range leader.answers {
		if len(a.runs) > wire.MaxBody {
			t.Fatalf("a frame with a body of %d bytes", len(a.runs))
		}
	}
	if got := leader.results(7); len(got) != count || got[count].Status != wire.StatusNotFound {
		t.Errorf("%d results, the last one %v", len(got), got[count].Status)
	}
	got := leader.results(8)
	for seq := wire.Seq(1); seq <= count; seq++ {
		if !bytes.Equal(got[seq].Value, value) {
			t.Fatalf("result %d has %d bytes", seq, len(got[seq].Value))
		}
	}
}

func ones(n int) []uint64 {
	keys := make([]uint64, n)
	for i := range keys {
		keys[i] = 1
	}
	return keys
}

// sink is a Driver that keeps nothing of the answers but a count, and for some origins has nobody to give them to.
type sink struct {
	*replica
	client *node.Client
	out    []byte
	gets   int
	gone   bool
}

func (s *sink) Begin(batching.Origin) ([]byte, int, bool) { return s.out[:0], wire.MaxBody, !s.gone }

func (s *sink) End(_ batching.Origin, out []byte, answered int) {
	s.out = out
	s.gets += answered
	s.client.Answered(answered)
}

// query gives the node a query.
func (s *sink) query(t testing.TB, n *node.Node, fragment []byte) {
	if err := n.Query(s.client, fragment); err != nil {
		t.Fatal(err)
	}
}

// newSink returns an unreplicated node that holds one record.
func newSink(t testing.TB) (*node.Node, *sink) {
	r := &replica{id: 1, trio: &trio{}}
	env := &sink{replica: r, out: make([]byte, 0, 1<<20)}
	cfg := r.config()
	cfg.Paxos.Replicas, cfg.Paxos.Quorum1, cfg.Paxos.Quorum2, cfg.Unreplicated = []wire.ReplicaID{1}, 1, 1, true
	n := node.New(cfg, env, env, 0)
	env.client = n.NewClient(7, 0)
	for _, fragment := range [][]byte{
		wire.AppendCommand(wire.AppendRunHeader(nil, 0, 1, 0, 1, wire.CommandHeaderSize), wire.OpRegister, 0, nil, nil),
		wire.AppendCommand(wire.AppendRunHeader(nil, wire.MakeSessionID(1, 0), 1, 0, 1, wire.CommandHeaderSize+16), wire.OpPut, 0, keyOf(1), keyOf(2)),
	} {
		if err := n.Request(0, &node.Client{Window: 1}, fragment); err != nil {
			t.Fatal(err)
		}
	}
	return n, env
}

func TestUnreplicatedAnswersQueriesAtOnce(t *testing.T) {
	n, env := newSink(t)
	env.query(t, n, gets(2, 1, 1, 2))
	if err := n.Round(0); err != nil || env.gets != 3 {
		t.Errorf("%d gets answered, error %v", env.gets, err)
	}
}

// Nothing is kept of a query whose client has gone.
func TestQueryOfAClientThatHasGone(t *testing.T) {
	n, env := newSink(t)
	env.gone = true
	env.query(t, n, gets(2, 1, 1, 2))
	if err := n.Round(0); err != nil || env.gets != 0 || n.QueryBytes() != 0 {
		t.Errorf("%d gets answered, %d bytes waiting, error %v", env.gets, n.QueryBytes(), err)
	}
}

func TestQueriesDoNotAllocate(t *testing.T) {
	n, env := newSink(t)
	fragment := gets(100, ones(1000)...)
	now := time.Duration(0)
	if allocs := testing.AllocsPerRun(100, func() {
		now++
		env.query(t, n, fragment)
		env.query(t, n, fragment)
		if err := n.Round(now); err != nil {
			t.Fatal(err)
		}
	}); allocs != 0 {
		t.Errorf("%v allocations for 2000 gets", allocs)
	}
}

func BenchmarkQueries(b *testing.B) {
	n, env := newSink(b)
	fragment := gets(1000, ones(1000)...)
	b.ReportAllocs()
	for b.Loop() {
		env.query(b, n, fragment)
		if err := n.Round(0); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(env.gets), "ns/get")
}

// A client that has no room gets no answers and keeps nobody else from theirs. It gets as many as there is room for once there
// is, in the order in which it asked. Then nothing is left of it.
func TestQueriesWaitForRoom(t *testing.T) {
	for _, leases := range []bool{false, true} {
		c := newTrio(t, false)
		c.leases = leases
		c.start()
		value := bytes.Repeat([]byte("v"), 1000)
		c.write(1, value)
		leader := c.leader()
		c.until("a lease, or none to be had", func() bool { return !leases || leader.node.Core().HoldsLease(c.now) })
		client := leader.client(7)
		leader.rooms[7] = 1500
		leader.node.Room(client) // says nothing as long as nothing stands aside
		leader.query(7, 1, 1, 1)
		leader.query(7, 2) // its answer would fit, and waits for its turn
		leader.query(8, 1)
		c.until("an answer to who has room", func() bool { return len(leader.results(8)) == 1 })
		if client.InFlight != 3 || leader.node.QueryBytes() == 0 {
			t.Fatalf("%d of 4 gets without an answer in 1500 bytes, %d bytes waiting", client.InFlight, leader.node.QueryBytes())
		}
		for _, left := range []int{2, 0} {
			before := client.InFlight
			if leader.round(); client.InFlight != before {
				t.Errorf("%d gets answered without room", before-client.InFlight)
			}
			leader.node.Room(client)
			if leader.round(); client.InFlight != left {
				t.Errorf("%d gets are left, want %d", client.InFlight, left)
			}
		}
		if got := leader.results(7); len(got) != 3 || got[1].Status != wire.StatusNotFound || !bytes.Equal(got[3].Value, value) || leader.node.QueryBytes() != 0 {
			t.Errorf("results %v, %d bytes waiting", got, leader.node.QueryBytes())
		}
	}
}

// What stands aside is forgotten when its client closes, and when leadership is lost.
func TestQueriesAsideAreForgotten(t *testing.T) {
	for name, forget := range map[string]func(*trio, *replica){
		"closed": func(_ *trio, r *replica) { r.node.ClientClosed(r.client(7)); r.node.ClientClosed(r.client(8)) },
		"deposed": func(c *trio, r *replica) {
			c.queue, c.lose = nil, func(m *wire.Message) bool { return m.From == r.id || m.To == r.id }
			c.until("the end of its leadership", func() bool { return !r.node.Leads() })
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTrio(t, false)
			c.start()
			c.write(1, bytes.Repeat([]byte("v"), 1000))
			leader := c.leader()
			leader.rooms[7], leader.rooms[8] = 0, 0
			leader.query(7, 1)
			leader.query(8, 1)
			leader.query(9, 1)
			c.until("an answer to who has room", func() bool { return len(leader.results(9)) == 1 })
			if leader.node.QueryBytes() == 0 {
				t.Fatal("nothing stands aside")
			}
			leader.node.Room(leader.client(8))
			forget(c, leader)
			if n := leader.node.QueryBytes(); n != 0 {
				t.Errorf("%d bytes are kept", n)
			}
			leader.round()
			if got := len(leader.results(7)) + len(leader.results(8)); got != 0 {
				t.Errorf("%d answers", got)
			}
		})
	}
}

// A round makes so many answers and leaves the others to the next one.
func TestRoundOfQueriesIsBounded(t *testing.T) {
	n, env := newSink(t)
	const frames, perFrame = 30, 2000
	for range frames {
		env.query(t, n, gets(perFrame, ones(perFrame)...))
	}
	rounds := 0
	for more := true; more; rounds++ {
		before := env.gets
		if err := n.Round(0); err != nil {
			t.Fatal(err)
		}
		more = n.Unfinished()
		if done := env.gets - before; done == 0 || done > 40_000 {
			t.Errorf("%d gets answered in a round", done)
		}
	}
	if env.gets != frames*perFrame || rounds < 2 || n.QueryBytes() != 0 {
		t.Errorf("%d gets answered in %d rounds, %d bytes waiting", env.gets, rounds, n.QueryBytes())
	}
}

// Gets through the log, of far more than a round may answer: those beyond are answered in the next ones, all of them where their
// client has room.
func TestRoundOfAnswersIsBounded(t *testing.T) {
	c := newTrio(t, true)
	c.start()
	c.write(1, bytes.Repeat([]byte("v"), wire.MaxValue))
	leader := c.leader()
	leader.rooms[7], leader.rooms[8] = 1<<30, 1<<30
	const perBatch = 20
	var commands []byte
	for range perBatch {
		commands = wire.AppendCommand(commands, wire.OpGet, 0, keyOf(1), nil)
	}
	for origin := batching.Origin(7); origin <= 8; origin++ {
		fragment := wire.AppendRunHeader(nil, wire.MakeSessionID(1, 0), c.seq+1, c.seq, perBatch, len(commands))
		c.seq += perBatch
		if err := leader.node.Request(c.now, leader.client(origin), append(fragment, commands...)); err != nil {
			t.Fatal(err)
		}
		leader.round() // a batch of its own
	}
	total := func() (bytes int) {
		for _, a := range leader.answers {
			bytes += len(a.runs)
		}
		return bytes
	}
	c.until("all answers", func() bool {
		before := total()
		leader.round()
		if made := total() - before; made > 2*node.RoundWork+wire.MaxValue {
			t.Fatalf("%d bytes of answers in one round", made)
		}
		return leader.client(7).InFlight+leader.client(8).InFlight == 0
	})
	if bytes := total(); bytes < 2*perBatch*wire.MaxValue {
		t.Errorf("%d bytes of answers, want %d values of %d", bytes, 2*perBatch, wire.MaxValue)
	}
}
