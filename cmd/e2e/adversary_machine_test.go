package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"paxosbench/wire"
	"paxosbench/wire/secure"
)

// What those who do get in may say: peers with forged messages, clients with chosen keys, guessed sessions, registrations and values
// without end.

// forged says hello as a replica on one lane of another's port for peers, and then a message.
func (c *cluster) forged(ctx context.Context, as, to int, m *wire.Message) {
	cluster, _ := strconv.ParseUint(c.mustStatus(to).Cluster, 10, 64)
	hello := wire.AppendPeerHello(nil, &wire.PeerHello{
		Cluster: cluster, Incarnation: uint64(time.Now().UnixNano()), From: wire.ReplicaID(as), To: wire.ReplicaID(to), Lane: m.Type.Lane(),
		Met: 7, MetBy: 7, Settings: settingsOf(c),
	})
	c.knock(ctx, c.members[to-1].peer, append(wire.AppendMessageHeader(hello, m), m.Body...))
}

// One peer that says what it likes, with valid checksums, stops nobody, ends no elections for good and leaves nothing behind in a
// journal: the others serve meanwhile, and it comes back as what it was.
func TestForgedMessages(t *testing.T) {
	c := newCluster(t, 3)
	c.ready()
	c.agree() // all have met
	c.signal(3, syscall.SIGKILL)
	c.until("leader without it", func() bool { return c.leader() != 3 })
	leader := c.leader()
	garbage := wire.MakeBody([]byte("forty bytes which are no batch whatsoever"))
	last := wire.MakeBallot(1<<56-1, 3)
	var said atomic.Int64
	attack := func(ctx context.Context) {
		swarm(ctx, 2, func(ctx context.Context) {
			s, err := c.status(leader)
			if err != nil {
				return
			}
			var ballot wire.Ballot
			if err := ballot.UnmarshalText([]byte(s.Ballot)); err != nil {
				t.Error(err)
				return
			}
			next, slot := ballot.Next(3), wire.Slot(s.Commit)
			verdict := wire.Digests{1: {Known: true, Value: 1}, 2: {Known: true, Value: 2}, 3: {Known: true, Value: 2}}
			for _, m := range []wire.Message{
				wire.NewAccept(next, slot+1, slot+1, garbage), wire.NewAccept(next, slot+1, slot, wire.MakeBody(make([]byte, 40))),
				wire.NewPrepare(last, 1, 1<<20), wire.NewHeartbeat(last, 1, 0, 0), wire.NewPreVote(last, 0), wire.NewReject(ballot, last, 0),
				wire.NewFetch(1, ^wire.Slot(0), 1<<30), wire.NewDiverged(ballot, slot, &verdict), wire.NewSnapshotChunk(slot+9, 1<<40, 0, []byte("no snapshot")),
				wire.NewPromise(next, 1<<61, 1, 1<<61, true, []byte("no entries")), wire.NewAccepted(ballot, 1, ^wire.Slot(0), ^wire.Slot(0)),
			} {
				for to := 1; to <= 2; to++ {
					short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
					c.forged(short, 3, to, &m)
					cancel()
					said.Add(1)
				}
			}
		})
	}
	elections := func() uint64 { return c.mustStatus(1).Paxos.Elections + c.mustStatus(2).Paxos.Elections }
	// While a disk stands still, for which a leader steps down whatever else happens, nothing is seen of what forged messages do:
	// then they are sent again.
	for try, clean := 0, false; !clean; try++ {
		before, stalled := elections(), c.diskStalls(1, 2)
		s := &siege{t: t, quiet: c.victim(siegeQuiet(), func() {})}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			attack(ctx)
		}()
		s.attacked = c.victim(siegeLasts(), func() {})
		cancel()
		<-ended
		s.quiet.worsen(c.victim(siegeQuiet(), func() {}))
		s.log()
		s.fromOutside()
		candidacies := elections() - before
		clean = candidacies == 0 && said.Load() > 0
		if !clean && (try == 2 || c.diskStalls(1, 2) == stalled) {
			t.Fatalf("%d forged messages, %d candidacies", said.Load(), candidacies)
		}
	}
	var refused, implausible uint64
	for id := 1; id <= 2; id++ {
		s := c.mustStatus(id)
		refused, implausible = refused+s.Node.MessagesRefused, implausible+s.Paxos.Implausible
	}
	if refused == 0 || implausible == 0 {
		t.Errorf("%d messages refused, %d implausible ballots counted", refused, implausible)
	}
	// Elections go on, with all journals.
	for _, id := range []int{1, 2} {
		c.signal(id, syscall.SIGKILL)
	}
	for id := 1; id <= 3; id++ {
		c.start(id)
	}
	c.leader()
	c.victim(time.Second, func() {})
	c.agree()
}

// diskStalls returns how often replicas have said that their disks make no progress.
func (c *cluster) diskStalls(ids ...int) (n int) {
	for _, id := range ids {
		said, err := os.ReadFile(filepath.Join(c.dir, fmt.Sprintf("%d.log", id)))
		if err != nil {
			c.t.Error(err)
		}
		n += bytes.Count(said, []byte("has made no progress for an election timeout"))
	}
	return n
}

// collide makes 24-byte keys that are the same to a hash whose constants everybody knows.
func collide(i uint64) []byte {
	const seed, word = 0x9ae16a3b2f90404f, 0xd6e8feb86659fd93
	hi, lo := bits.Mul64(seed^24^i, word)
	key := binary.LittleEndian.AppendUint64(nil, i)
	key = binary.LittleEndian.AppendUint64(key, hi^lo^7) // cancels the state
	return binary.LittleEndian.AppendUint64(key, 9)
}

// regular are keys that differ in the upper bits of a word alone.
func regular(i uint64) []byte { return binary.LittleEndian.AppendUint64(nil, i<<44) }

// Keys that collide for a hash that is known, and keys that differ in a few bits, cost no more than others.
func TestChosenKeys(t *testing.T) {
	beside(t)
	const keys = 60_000
	for name, chosen := range map[string]struct {
		key   func(uint64) []byte
		count uint64 // in a request
	}{
		"colliding": {collide, 500}, "regular": {regular, 500}, "colliding, in one request": {collide, keys},
	} {
		t.Run(name, func(t *testing.T) {
			beside(t)
			c := newCluster(t, 3)
			leader := c.ready()
			attack := func(ctx context.Context) {
				s, err := c.speak(leader)
				if err != nil || s.register() != nil {
					t.Errorf("the attacker does not get in: %v", err)
					return
				}
				for i := uint64(0); ctx.Err() == nil && i < keys; i += chosen.count {
					var commands []byte
					for j := range chosen.count {
						commands = wire.AppendCommand(commands, wire.OpPut, 0, chosen.key(i+j), []byte("a value that is not small"))
					}
					if _, err := s.runs(wire.TypeRequest, s.session, s.next, int(chosen.count), commands); err != nil {
						t.Error(err)
						return
					}
					s.next += wire.Seq(chosen.count)
				}
				<-ctx.Done()
			}
			c.besiege(attack).fromInside()
			// The journal holds them, and replays no slower.
			for id := range c.members {
				c.signal(id+1, syscall.SIGKILL)
				c.start(id + 1)
			}
			c.leader()
			c.agree()
		})
	}
}

// moveOn has the speaker go on with its session at another replica, which may be the leader now.
func (c *cluster) moveOn(s *speaker) {
	if moved, err := c.speak(int(s.replica)%len(c.members) + 1); err == nil {
		s.conn, s.replica = moved.conn, moved.replica
	}
}

// mustSpeak returns a speaker with a session.
func (c *cluster) mustSpeak(id int) *speaker {
	c.t.Helper()
	s, err := c.speak(id)
	if err == nil {
		err = s.register()
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

// Nobody writes into a session whose id has to be guessed: not by its place, not by what is near to an own one.
func TestGuessedSessions(t *testing.T) {
	beside(t)
	c := newCluster(t, 3)
	leader := c.ready()
	victim, thief := c.mustSpeak(leader), c.mustSpeak(leader)
	place := uint64(victim.session.Index())
	guesses := []uint64{place, 1<<32 | place, 2<<32 | place, uint64(thief.session) - 1, uint64(thief.session) + 1, uint64(thief.session)&^0xfffff | place}
	for tag := range uint64(2000) {
		guesses = append(guesses, tag<<20|place, thief.session.Tag()-1000+tag<<20|place)
	}
	for _, guess := range guesses {
		if guess == 0 || wire.SessionID(guess) == thief.session {
			continue
		}
		theft := wire.AppendCommand(nil, wire.OpPut, 0, []byte("key"), []byte("stolen"))
		answer, err := thief.run(wire.TypeRequest, wire.SessionID(guess), 1, theft)
		for err != nil && t.Context().Err() == nil { // another replica leads: the host is busy
			c.moveOn(thief)
			answer, err = thief.run(wire.TypeRequest, wire.SessionID(guess), 1, theft)
		}
		if err != nil || answer.Status != wire.StatusNoSession {
			t.Fatalf("session %x, of %x and %x: answered %v, %v", guess, victim.session, thief.session, answer.Status, err)
		}
	}
	for victim.replica != thief.replica {
		c.moveOn(victim)
	}
	if err := victim.put("key", "own"); err != nil {
		t.Fatal(err)
	}
	got, err := victim.result(victim.run(wire.TypeRequest, victim.session, victim.next, wire.AppendCommand(nil, wire.OpGet, 0, []byte("key"), nil)))
	if err != nil || string(got) != "own" {
		t.Errorf("the victim reads %q, %v", got, err)
	}
	c.agree()
}

// With TLS, a session is used by nobody but who has registered it: another identity that knows its id is told that there is none, at
// any replica, and the owner comes back to it on another connection.
func TestSessionOfAnotherIdentity(t *testing.T) {
	c := newSecured(t, 3)
	leader := c.leader()
	speak := func(who secure.Identity) *speaker {
		t.Helper()
		s, err := c.speakAs(leader, c.credentials(who))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	victim, thief := speak(loadIdentity), speak(otherIdentity)
	if err := victim.register(); err != nil {
		t.Fatal(err)
	}
	if err := victim.put("key", "own"); err != nil {
		t.Fatal(err)
	}
	for seq := victim.next; seq < victim.next+3; seq++ {
		theft := wire.AppendCommand(nil, wire.OpPut, 0, []byte("key"), []byte("stolen"))
		if answer, err := thief.run(wire.TypeRequest, victim.session, seq, theft); err != nil || answer.Status != wire.StatusNoSession {
			t.Errorf("the thief is answered %v, %v", answer.Status, err)
		}
	}
	again := speak(loadIdentity)
	again.session, again.next = victim.session, victim.next
	got, err := again.result(again.run(wire.TypeRequest, again.session, again.next, wire.AppendCommand(nil, wire.OpGet, 0, []byte("key"), nil)))
	if err != nil || string(got) != "own" {
		t.Errorf("the owner reads %q, %v", got, err)
	}
	c.agree()
}

// A session that is at work keeps its place, however many register; newcomers get in beside them.
func TestRegistrationsWithoutEnd(t *testing.T) {
	beside(t)
	for name, identities := range map[string]int{"of nobody": 0, "of one": 1, "of many": 50} {
		t.Run(name, func(t *testing.T) {
			beside(t)
			const places = 20_000
			begin := newCluster
			if identities > 0 {
				begin = newSecured
			}
			c := begin(t, 3, "--max-sessions", fmt.Sprint(places))
			leader := c.ready()
			speak := func() (*speaker, error) { return c.speak(leader) }
			var turn, registered atomic.Int64
			if many := c.manyIdentities(max(0, identities-1)); len(many) > 0 {
				speak = func() (*speaker, error) { return c.speakAs(leader, many[int(turn.Add(1))%len(many)]) }
			}
			worker := c.mustSpeak(leader)
			crowded := func() bool { return registered.Load() >= places }
			s := c.besiegeUntil(crowded, func(ctx context.Context) {
				var all sync.WaitGroup
				all.Go(func() {
					swarm(ctx, 4, func(ctx context.Context) {
						if s, err := speak(); err == nil {
							registers(ctx, s, &registered)
							s.conn.abort()
						}
					})
				})
				all.Go(func() { c.works(ctx, worker, &registered) })
				all.Wait()
			})
			s.fromInside()
			t.Logf("%d registrations", registered.Load())
		})
	}
}

// registers registers sessions as fast as a connection may, and as many as it may at once.
func registers(ctx context.Context, s *speaker, registered *atomic.Int64) {
	frame := wire.BeginFrame(nil)
	for i := range 1000 {
		frame = wire.AppendRunHeader(frame, 0, wire.Seq(i)+1, 0, 1, wire.CommandHeaderSize)
		frame = wire.AppendCommand(frame, wire.OpRegister, 0, nil, nil)
	}
	wire.EndFrame(frame, 0, wire.TypeRequest)
	for range 4 {
		if _, _, err := s.exchange(frame); err != nil || ctx.Err() != nil {
			return
		}
		if registered != nil {
			registered.Add(1000)
		}
	}
}

// works is a session at work that sends a command now and then, which must be executed.
func (c *cluster) works(ctx context.Context, worker *speaker, registered *atomic.Int64) {
	for ctx.Err() == nil {
		command := wire.AppendCommand(nil, wire.OpPut, 0, []byte("key"), []byte("value"))
		answer, err := worker.run(wire.TypeRequest, worker.session, worker.next, command)
		switch {
		case err != nil:
			c.moveOn(worker) // another replica leads: the host is busy
			continue
		case answer.Status != wire.StatusOK:
			c.t.Errorf("a session at work, after %d registrations: answered %v", registered.Load(), answer.Status)
			return
		}
		worker.next++
		time.Sleep(100 * time.Millisecond)
	}
}

// Values without end are refused where the limit of the store is, on all replicas alike, after a restart as well; what is there
// can be read, replaced and deleted, and a load counts the refusals.
func TestValuesWithoutEnd(t *testing.T) {
	c := newCluster(t, 3, "--store-limit", "1MiB")
	s := c.mustSpeak(c.ready())
	value := string(make([]byte, 1<<10))
	write := func(key string) wire.Status {
		t.Helper()
		answer, err := s.run(wire.TypeRequest, s.session, s.next, wire.AppendCommand(nil, wire.OpPut, 0, []byte(key), []byte(value)))
		if err != nil {
			t.Fatal(err)
		}
		s.next++
		return answer.Status
	}
	n := 0
	for n < 2000 && write(fmt.Sprint("key", n)) == wire.StatusOK {
		n++
	}
	if want := 1 << 20 / (1<<10 + 8 + 64); n != want {
		t.Errorf("%d records are taken, want %d", n, want)
	}
	if write("another") != wire.StatusFull || write("key0") != wire.StatusOK {
		t.Error("a full store takes what is new, or not what takes the place of something")
	}
	if r := c.victim(time.Second, func() {}); r.Ops.Full == 0 {
		t.Errorf("a load on a full store: %+v", r.Ops)
	}
	for id := range c.members {
		c.signal(id+1, syscall.SIGKILL)
	}
	for id := range c.members {
		c.start(id + 1)
	}
	s = c.mustSpeak(c.leader())
	if write("another") != wire.StatusFull {
		t.Error("after a restart there is room")
	}
	if _, err := s.run(wire.TypeRequest, s.session, s.next, wire.AppendCommand(nil, wire.OpDelete, 0, []byte("key1"), nil)); err != nil {
		t.Fatal(err)
	}
	s.next++
	if got := write("another"); got != wire.StatusOK {
		t.Errorf("where something was deleted there is no room: %v", got)
	}
	c.agree()
}
