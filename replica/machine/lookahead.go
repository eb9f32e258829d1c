package machine

import (
	"math/bits"
	"unsafe"

	"paxosbench/wire"
)

// A store larger than the caches spends its time waiting for memory: one bucket a command, and one record if it is not
// in the bucket. So the memory is asked for ahead: while one group of commands is executed, the records of the next and
// the buckets of the one after it are under way, without anything waiting for them.
//
//	        buckets asked for    records asked for    executed
//	group        n + 2     ──►        n + 1     ──►       n
//
// What has been found out about a command on the way is kept until its turn.
type lookahead struct {
	commands []byte // not looked at yet
	left     int    // their number
	gets     bool   // gets are executed, too
	resized  uint64 // index.resized when the homes were looked up: they may be others when it has changed

	// The commands from executed to looked have passed both steps, those from looked to asked the first.
	ring                    [4 * lookaheadGroup]glance
	executed, looked, asked uint
	step                    uint // where the next group to be executed begins
}

// glance is what is known of a command before its turn.
type glance struct {
	hash uint64
	home *bucket
	word int // of home, where the entry was seen, or is not: there are no promises until its turn
}

// lookaheadGroup is the number of commands in a group: enough to keep the memory busy, few enough that what has been
// fetched is still there when its turn comes.
const lookaheadGroup = 16

func (a *lookahead) at(i uint) *glance { return &a.ring[i%uint(len(a.ring))] }

// Prepare implements StateMachine.
func (k *KV) Prepare(commands []byte, count int, gets bool) {
	a := &k.ahead
	a.commands, a.left, a.gets = commands, count, gets
	a.executed, a.looked, a.asked, a.step = 0, 0, 0, 0
	a.resized = k.index.resized
	k.askForBuckets()
}

// glance returns what is known of the command that is executed now, which has the given key.
func (k *KV) glance(key []byte) *glance {
	a := &k.ahead
	if a.executed == a.step {
		k.lookAhead()
	}
	g := a.at(a.executed)
	a.executed++
	if a.executed > a.looked || a.resized != k.index.resized {
		g.hash = hashKey(key)
		g.home = k.index.home(g.hash)
	}
	return g
}

// lookAhead moves every group one step on.
func (k *KV) lookAhead() {
	k.ahead.step += lookaheadGroup
	k.askForRecords()
	k.askForBuckets()
}

// askForBuckets fetches the buckets of the next group.
func (k *KV) askForBuckets() {
	a := &k.ahead
	var lines [lookaheadGroup]unsafe.Pointer
	n, at := 0, 0
	for ; a.left > 0 && n < lookaheadGroup; a.left-- {
		op, _, key, _, end := commandAt(a.commands, at)
		at = end
		if op == wire.OpGet && !a.gets {
			continue
		}
		hash := hashKey(key)
		home := k.index.home(hash)
		*a.at(a.asked + uint(n)) = glance{hash: hash, home: home}
		lines[n] = unsafe.Pointer(home)
		n++
	}
	a.commands = a.commands[at:]
	a.asked += uint(n)
	prefetch(&lines[0], n)
}

// askForRecords looks into the buckets that have come, and fetches what they lead to: the first lines of a record in the
// arena, or the next bucket of the chain.
func (k *KV) askForRecords() {
	a := &k.ahead
	var lines [2 * lookaheadGroup]unsafe.Pointer
	n := 0
	for ; a.looked < a.asked; a.looked++ {
		g := a.at(a.looked)
		c := g.home.candidates(hashPart(g.hash))
		g.word = bits.TrailingZeros64(c | 1<<(bucketWords-1))
		switch e := g.home.words[g.word]; {
		case c == 0 && g.home.next() != 0:
			lines[n] = unsafe.Pointer(k.index.following(g.home))
			n++
		case e != 0 && c != 0 && !e.small() && !g.home.isValue(g.word): // hash bits may be zero, as those of a free word
			lines[n], lines[n+1] = k.records.firstLines(e.ref())
			n += 2
		}
	}
	prefetch(&lines[0], n)
}
