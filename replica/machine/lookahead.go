package machine

import (
	"encoding/binary"
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
	common   uint64 // their header, if they have it in common
	left     int    // their number
	gets     bool   // gets are executed, too
	resized  uint64 // index.resized when the homes were looked up: they may be others when it has changed

	// The commands from executed to looked have passed both steps, those from looked to asked the first.
	ring                    [4 * lookaheadGroup]glance
	executed, looked, asked uint
	step                    uint // where the next group to be executed begins

	// Of the commands from looked to asked:
	length int                 // how long one of them is on average, which is about what its record is
	found  [lookaheadGroup]ref // records that they are about
}

// glance is what is known of a command before its turn.
type glance struct {
	hash  uint64
	key   uint64 // the keyDigest of a key that is small
	home  *bucket
	small entry // what a small record of the key looks like (see smallEntry), or 0 if the key is not small
	word  int   // of home, where the entry was seen, or is not: there are no promises until its turn
}

// lookaheadGroup is the number of commands in a group: enough to keep the memory busy, few enough that what has been
// fetched is still there when its turn comes.
const lookaheadGroup = 16

func (a *lookahead) at(i uint) *glance { return &a.ring[i%uint(len(a.ring))] }

// Prepare implements StateMachine.
func (k *KV) Prepare(commands []byte, common uint64, count int, gets bool) {
	a := &k.ahead
	a.commands, a.common, a.left, a.gets = commands, common, count, gets
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
		g.hash = k.hash.of(key)
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
	table, mask, hash := k.index.table, k.index.mask, &k.hash
	var lines [lookaheadGroup]unsafe.Pointer
	commands, common, n, at := a.commands, a.common, 0, 0
	for ; a.left > 0 && n < lookaheadGroup; a.left-- {
		h := common
		if h == 0 {
			h = binary.LittleEndian.Uint64(commands[at:])
			at += wire.CommandHeaderSize
		}
		keyLen, valueLen := headerLengths(h)
		keyAt, keyEnd := at, at+keyLen
		at = keyEnd + valueLen
		if wire.Op(h) == wire.OpGet && !a.gets {
			continue
		}
		g := a.at(a.asked + uint(n))
		if keyLen <= smallSize {
			key := keyWord(commands, common, keyAt, keyLen)
			g.hash, g.key = hash.small(key, keyLen), keyDigest(key)
			g.small = smallEntry(g.hash, keyLen, 0)
		} else {
			g.hash, g.small = hash.bytes(commands[keyAt:keyEnd]), 0
		}
		g.home = table.home(g.hash, mask)
		lines[n] = unsafe.Pointer(g.home)
		n++
	}
	a.commands = commands[at:]
	a.asked += uint(n)
	a.length = at / max(n, 1)
	prefetch(&lines[0], n)
}

// askForRecords looks into the buckets that have come, and fetches what they lead to: a record in the arena, or the next bucket of
// the chain.
func (k *KV) askForRecords() {
	a := &k.ahead
	var lines [lookaheadGroup]unsafe.Pointer
	n, found := 0, 0
	for ; a.looked < a.asked; a.looked++ {
		g := a.at(a.looked)
		if g.word = g.home.smallWord(g.small); g.word != noSmallWord {
			continue
		}
		c := g.home.candidates(hashPart(g.hash))
		g.word = bits.TrailingZeros64(c | 1<<(bucketWords-1))
		switch e := g.home.words[g.word]; {
		case c == 0 && g.home.next() != 0:
			lines[n] = unsafe.Pointer(k.index.following(g.home))
			n++
		case e != 0 && c != 0 && !e.small() && !g.home.isValue(g.word): // hash bits may be zero, as those of a free word
			a.found[found] = e.ref()
			found++
		}
	}
	prefetch(&lines[0], n)
	for _, r := range a.found[:found] {
		k.records.fetch(r, a.length)
	}
}

// ApplyPuts implements StateMachine: puts that change a small record where the look-ahead has seen it. That is what a busy
// store mostly does.
func (k *KV) ApplyPuts(commands []byte, common uint64, count int) (done, size int) {
	a := &k.ahead
	for done < count && !k.index.frozen {
		if a.executed == a.step {
			k.lookAhead()
		}
		n := min(count-done, int(a.step-a.executed), int(a.looked-a.executed))
		put, bytes := k.putGroup(commands[size:], common, n)
		a.executed += uint(put)
		done += put
		size += bytes
		if put < n || n == 0 {
			break
		}
	}
	return done, size
}

// putGroup is ApplyPuts for up to count commands that have been looked at. It calls nothing, so that what it works with stays
// in registers. The index may have been resized since: a record that looks like the key's in a bucket that was the key's home
// is the key's, because all such buckets have the hash bits in common that entries do not hold.
func (k *KV) putGroup(commands []byte, common uint64, count int) (done, size int) {
	held, at := k.held, 0
	for done < count {
		h := common
		if h == 0 {
			h = binary.LittleEndian.Uint64(commands[at:])
			at += wire.CommandHeaderSize
		}
		keyLen, valueLen := headerLengths(h)
		if wire.Op(h) != wire.OpPut || keyLen > smallSize || valueLen > smallSize {
			break
		}
		g := k.ahead.at(k.ahead.executed + uint(done))
		p := place{g.home, g.word}
		e := p.entry()
		if (*e^g.small)&smallRecord != 0 {
			break
		}
		v := p.value()
		done++
		at += keyLen + valueLen
		size = at
		held -= smallDigest(g.key, *e, *v)
		*e, *v = e.withValueLen(valueLen), entry(wordBefore(commands, at, valueLen))
		held += smallDigest(g.key, *e, *v)
	}
	k.held = held
	return done, size
}

// keyWord returns a key of at most eight bytes as a number. Eight may be read wherever it lies: behind it, if commands have their
// header in common, as each is that long then, or else before it, where its command's header is.
func keyWord(commands []byte, common uint64, at, n int) uint64 {
	if common == 0 {
		return wordBefore(commands, at+n, n)
	}
	unused := 8 * uint(smallSize-n)
	return binary.LittleEndian.Uint64(commands[at:]) << unused >> unused
}

// wordBefore returns the n bytes that end before end as a number, at most eight. There are eight before it, of whatever kind: a
// command has a header of that size, or is without it, and at least that long.
func wordBefore(commands []byte, end, n int) uint64 {
	return binary.LittleEndian.Uint64(commands[end-smallSize:]) >> (8 * uint(smallSize-n))
}
