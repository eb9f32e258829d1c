package e2e

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"paxosbench/bench/netem"
	"paxosbench/wire"
)

var (
	chaosRounds     = flag.Int("chaos.rounds", 0, "rounds of TestChaos; 0: a few")
	chaosSeed       = flag.Uint64("chaos.seed", 1, "determines the faults of TestChaos and their times")
	chaosDurability = flag.String("chaos.durability", "fsync", "durability of the replicas of TestChaos")
)

// chaos is a cluster whose replicas reach each other over links.
type chaos struct {
	*cluster
	rng *rand.Rand
}

// fault strikes a cluster under load, and returns what ends it.
type fault struct {
	name   string
	strike func(*chaos) (heal func())
}

var faults = []fault{
	{"kill leader", func(c *chaos) func() { return c.kill(c.leader()) }},
	{"kill follower", func(c *chaos) func() { return c.kill(c.follower()) }},
	{"kill all", (*chaos).killAll},
	{"pause leader", func(c *chaos) func() { return c.pause(c.leader()) }},
	{"pause follower", func(c *chaos) func() { return c.pause(c.follower()) }},
	{"isolate leader", func(c *chaos) func() { return c.cut(c.leader(), netem.Isolated) }},
	{"isolate follower", func(c *chaos) func() { return c.cut(c.follower(), netem.Isolated) }},
	{"deafen leader", func(c *chaos) func() { return c.cut(c.leader(), netem.Deaf) }},
	{"mute leader", func(c *chaos) func() { return c.cut(c.leader(), netem.Mute) }},
	{"cut one link", (*chaos).cutLink},
	{"flip bits", (*chaos).flipBits},
	{"lose disk", (*chaos).loseDisk},
}

// TestChaos runs load against real processes while faults strike, round after round on the same cluster. In every round
// loadgen must find each reply once, in order and right, and the sampled histories linearizable; afterwards every command
// that was answered must have been executed exactly once, and all replicas must hold the same.
func TestChaos(t *testing.T) {
	c := newChaos(t)
	rounds := *chaosRounds
	if rounds == 0 {
		rounds = fewRounds
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("to replay: scripts/chaos.sh --seed %d --rounds %d --durability %s", *chaosSeed, rounds, *chaosDurability)
		}
	})
	c.leader()
	var order []int
	for round := range rounds {
		if len(order) == 0 {
			order = c.rng.Perm(len(faults))
		}
		c.round(round+1, faults[order[0]])
		order = order[1:]
	}
}

// fewRounds keeps the short form short.
const fewRounds = 5

func newChaos(t *testing.T) *chaos {
	direct := func(_, _ wire.ReplicaID) netem.Config { return netem.Config{} }
	return &chaos{
		linked(t, direct, "--durability", *chaosDurability, "--snapshot-bytes", "16MiB", "--segment-bytes", "8MiB"),
		rand.New(rand.NewPCG(*chaosSeed, 0)),
	}
}

// round is a few seconds of load with one fault in the midst of it. Every other round the load is as heavy as can be;
// in between it is moderate, so that histories can be decided.
func (c *chaos) round(number int, f fault) {
	c.t.Helper()
	before := c.executed()
	args := []string{"--mix", "put:0.6,get:0.3,cas:0.1", "--preload", "no", "--seed", fmt.Sprint(number)}
	histories, keys := number%2 == 0, 5000
	if histories { // fewer keys would have more to show, but too much at a time after a stall to be decided
		keys = 1000
		args = append(args, "--rate", "5k", "--verify", "history")
	}
	args = append(args, "--keys", fmt.Sprint(keys))
	load := c.load(4*time.Second, args...)
	time.Sleep(c.between(500*time.Millisecond, 1200*time.Millisecond))
	heal := f.strike(c)
	time.Sleep(c.between(100*time.Millisecond, 2*time.Second))
	heal()
	if code := load.exit(c.t, 60*time.Second); code != 0 && code != exitInvalid {
		c.t.Fatalf("round %d, %s: loadgen ended with %d:\n%s", number, f.name, code, load.text())
	}
	r := c.result()
	c.agree()
	done := c.executed() - before - readBack(keys)
	c.t.Logf("round %3d  %-16s  %8d answered  %8d executed  longest wait %-7v  %6d in histories, %d undecided", number, f.name,
		r.Ops.OK, done, time.Duration(r.Latency.Max).Round(time.Millisecond), r.Verification.HistoryOps, r.Verification.Undecided)
	if histories && r.Verification.HistoryOps == 0 {
		c.t.Fatalf("round %d, %s: no history was decided", number, f.name)
	}
	if r.Ops.Failed+r.Ops.TimedOut != 0 || r.Ops.OK == 0 || done != r.Ops.OK {
		c.t.Fatalf("round %d, %s: %+v, but %d commands executed", number, f.name, r.Ops, done)
	}
}

// exitInvalid is loadgen's exit code for a schedule that was not held: with a cluster that stands still for a second
// there is no other way.
const exitInvalid = 6

func (c *chaos) between(least, most time.Duration) time.Duration {
	return least + time.Duration(c.rng.Int64N(int64(most-least)))
}

// executed returns how many commands the replicas, which agree, have executed.
func (c *chaos) executed() uint64 {
	c.t.Helper()
	return c.executedBy(1)
}

// follower returns a replica that does not lead.
func (c *chaos) follower() int { return (c.leader()+c.rng.IntN(2))%3 + 1 }

func (c *chaos) kill(id int) (heal func()) {
	c.signal(id, syscall.SIGKILL)
	return func() { c.start(id) }
}

func (c *chaos) killAll() (heal func()) {
	for _, m := range c.members {
		c.signal(m.id, syscall.SIGKILL)
	}
	return func() {
		for _, m := range c.members {
			c.start(m.id)
		}
	}
}

func (c *chaos) pause(id int) (heal func()) {
	c.signal(id, syscall.SIGSTOP)
	return func() { c.signal(id, syscall.SIGCONT) }
}

// cut cuts a replica off from the others.
func (c *chaos) cut(id int, how netem.Fault) (heal func()) {
	set := func(fault netem.Fault) {
		if err := c.network.Set(wire.ReplicaID(id), fault); err != nil {
			c.t.Fatal(err)
		}
	}
	set(how)
	return func() { set(netem.None) }
}

// cutLink separates two replicas that both still reach the third.
func (c *chaos) cutLink() (heal func()) {
	a := wire.ReplicaID(c.leader())
	b := wire.ReplicaID(c.follower())
	c.network.Hold(func(from, to wire.ReplicaID) bool { return from == a && to == b || from == b && to == a })
	return func() { c.network.Hold(func(_, _ wire.ReplicaID) bool { return false }) }
}

// flipBits damages something on every link in both directions.
func (c *chaos) flipBits() (heal func()) {
	c.network.Damage()
	return func() {}
}

// loseDisk kills a replica and brings it back with an empty disk.
func (c *chaos) loseDisk() (heal func()) {
	id := c.follower()
	c.signal(id, syscall.SIGKILL)
	return func() {
		if err := os.RemoveAll(filepath.Join(c.dir, fmt.Sprint(id))); err != nil {
			c.t.Fatal(err)
		}
		c.start(id, "--rejoin")
	}
}

// Every fault has a name of its own: the order of a campaign is told by names.
func TestFaultNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range faults {
		if seen[f.name] || strings.TrimSpace(f.name) == "" {
			t.Errorf("fault %q: empty or twice", f.name)
		}
		seen[f.name] = true
	}
}
