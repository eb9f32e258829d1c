package journal_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"testing"

	"paxosbench/replica/journal"
	"paxosbench/replica/journal/memfs"
	"paxosbench/wire"
)

const dir = "/data"

var identity = journal.Identity{Cluster: 201, Replica: 2, Settings: wire.MakeSettings(wire.Setting{Name: "quorum2", Value: "2"})}

// options returns options with the smallest segments, so that a short test uses many.
func options(fs journal.FS) journal.Options {
	return journal.Options{
		FS: fs, Dir: dir, Identity: identity, Durability: journal.DurabilityFsync,
		SegmentBytes: journal.MinSegmentBytes, RecycleSegments: 3, Bootstrap: true, Salt: 0x5a17,
	}
}

// fact is a record that can be compared.
type fact struct {
	kind   wire.RecordKind
	codec  wire.Codec
	ballot wire.Ballot
	slot   wire.Slot
	commit wire.Slot
	rawLen uint32
	body   string
}

func factOf(r *wire.Record) fact {
	return fact{r.Kind, r.Codec, r.Ballot, r.Slot, r.Commit, r.RawLen, string(r.Body)}
}

func (f fact) record() *wire.Record {
	return &wire.Record{Kind: f.kind, Ballot: f.ballot, Slot: f.slot, Commit: f.commit, Payload: wire.Payload{Codec: f.codec, RawLen: f.rawLen, Body: []byte(f.body), BodyCRC: wire.Checksum([]byte(f.body))}}
}

func accept(slot wire.Slot, body string) fact {
	return fact{kind: wire.RecordAccept, ballot: wire.MakeBallot(3, 1), slot: slot, rawLen: uint32(len(body)), body: body}
}

func promise(round uint64) fact {
	return fact{kind: wire.RecordPromise, ballot: wire.MakeBallot(round, 1)}
}

// history is the dumb twin of a journal: the list of everything appended.
type history struct {
	facts     []fact // facts[i] has LSN i+1
	acked     journal.LSN
	truncated wire.Slot
	ballot    wire.Ballot // the highest used
	slot      wire.Slot   // the highest used
}

func (h *history) clone() *history {
	c := *h
	c.facts = slices.Clone(h.facts)
	return &c
}

// next makes up a plausible next record.
func (h *history) next(random *rand.Rand) fact {
	body := make([]byte, random.IntN(3000)*random.IntN(3))
	for i := range body {
		body[i] = byte(random.IntN(4)) // runs of zeros and repetitions: what a careless parser trips over
	}
	f := fact{kind: wire.RecordAccept, codec: wire.Codec(random.IntN(2)), ballot: h.ballot, commit: h.slot / 2,
		rawLen: random.Uint32(), body: string(body)}
	switch random.IntN(10) {
	case 0:
		h.ballot = h.ballot.Next(wire.ReplicaID(1 + random.IntN(3)))
		return fact{kind: wire.RecordPromise, ballot: h.ballot}
	case 1:
		f.slot = max(3, h.slot) - wire.Slot(random.IntN(3)) // again, under a new ballot
	case 2:
		f.kind, f.slot = wire.RecordChosen, h.slot+1
	case 3:
		return fact{kind: wire.RecordCommit + wire.RecordKind(random.IntN(2)), commit: h.slot / 2}
	default:
		f.slot = h.slot + 1
	}
	h.slot = max(h.slot, f.slot)
	return f
}

// promisedBy returns the highest ballot promised or accepted in the first n records.
func (h *history) promisedBy(n journal.LSN) (ballot wire.Ballot) {
	for _, f := range h.facts[:n] {
		if f.kind != wire.RecordChosen {
			ballot = max(ballot, f.ballot)
		}
	}
	return ballot
}

// replayed is what Open handed to the replay function.
type replayed struct {
	first journal.LSN // of facts
	facts []fact
}

func (r *replayed) collect(lsn journal.LSN, rec *wire.Record) error {
	if len(r.facts) == 0 {
		r.first = lsn
	}
	if want := r.first + journal.LSN(len(r.facts)); lsn != want {
		return fmt.Errorf("replayed record %d, want %d", lsn, want)
	}
	if len(rec.Body) > 0 && wire.Checksum(rec.Body) != rec.BodyCRC {
		return fmt.Errorf("record %d: body does not have its checksum", lsn)
	}
	r.facts = append(r.facts, factOf(rec))
	return nil
}

// last returns the LSN of the last record replayed.
func (r *replayed) last() journal.LSN { return r.first + journal.LSN(len(r.facts)) - 1 }

// check compares what was replayed with what had been appended: nothing acknowledged is missing but what was
// truncated, nothing is there that was not appended, and the promise is kept.
func (h *history) check(r *replayed) error {
	last := r.last()
	if len(r.facts) == 0 {
		last = 0
	}
	if last < h.acked || last > journal.LSN(len(h.facts)) {
		return fmt.Errorf("replay ends with record %d: %d were acknowledged, %d appended", last, h.acked, len(h.facts))
	}
	var promised wire.Ballot
	for i, f := range r.facts {
		lsn := r.first + journal.LSN(i)
		if f.kind != wire.RecordChosen {
			promised = max(promised, f.ballot)
		}
		if i == 0 && f.kind == wire.RecordPromise && f.ballot == h.promisedBy(lsn) {
			continue // carried by a segment header
		}
		if lsn == 0 || f != h.facts[lsn-1] {
			return fmt.Errorf("record %d replayed as %.60v", lsn, f)
		}
	}
	if want := h.promisedBy(h.acked); promised < want {
		return fmt.Errorf("promised %v after replay, %v before", promised, want)
	}
	for i, f := range h.facts[:h.acked] {
		if lsn := journal.LSN(i + 1); f.slot > h.truncated && lsn < r.first {
			return fmt.Errorf("record %d for slot %d is gone, truncated was up to %d", lsn, f.slot, h.truncated)
		}
	}
	return nil
}

// pair is a journal and its twin.
type pair struct {
	*journal.Journal
	twin *history
}

// open opens the journal on fs and compares it with the twin, which then goes on from where the journal does.
func open(opts journal.Options, twin *history) (pair, error) {
	var r replayed
	j, err := journal.Open(opts, r.collect)
	if err != nil {
		return pair{}, err
	}
	if err := twin.check(&r); err != nil {
		return pair{}, err
	}
	if len(r.facts) == 0 {
		r.first = 1
	}
	twin.facts = twin.facts[:r.last()]
	twin.acked = r.last() // what was replayed has been made durable
	return pair{j, twin}, nil
}

func mustOpen(t testing.TB, opts journal.Options, twin *history) pair {
	t.Helper()
	p, err := open(opts, twin)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// append appends to both.
func (p pair) append(t testing.TB, facts ...fact) {
	t.Helper()
	for _, f := range facts {
		p.twin.facts = append(p.twin.facts, f)
		p.twin.slot = max(p.twin.slot, f.slot)
		if lsn := p.Append(f.record()); lsn != journal.LSN(len(p.twin.facts)) {
			t.Fatalf("Append returned LSN %d, want %d", lsn, len(p.twin.facts))
		}
	}
}

// flush flushes, and the twin takes the acknowledgement.
func (p pair) flush(t testing.TB) {
	t.Helper()
	lsn, err := p.Flush()
	if err != nil {
		t.Fatal(err)
	}
	if lsn != journal.LSN(len(p.twin.facts)) {
		t.Fatalf("Flush returned LSN %d, want %d", lsn, len(p.twin.facts))
	}
	p.twin.acked = lsn
}

// group appends and flushes.
func (p pair) group(t testing.TB, facts ...fact) {
	t.Helper()
	p.append(t, facts...)
	p.flush(t)
}

func (p pair) close(t testing.TB) {
	t.Helper()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p.twin.acked = journal.LSN(len(p.twin.facts))
}

// randomStep does one random thing to both.
func (p pair) randomStep(t testing.TB, random *rand.Rand) {
	t.Helper()
	switch n := random.IntN(20); {
	case n < 13:
		p.append(t, p.twin.next(random))
	case n < 19:
		p.flush(t)
	default:
		// The twin first: a crash in the middle may have done it already.
		p.twin.truncated = max(p.twin.truncated, p.twin.slot*3/4)
		p.Truncate(p.twin.truncated)
	}
}

// begun reports whether anything has been written to a segment.
func begun(t testing.TB, fs *memfs.FS, number uint32) bool {
	t.Helper()
	name := journal.SegmentPath(dir, number)
	return slices.Contains(segmentsOf(t, fs), path.Base(name)) && binary.LittleEndian.Uint32(fs.Read(name)) != 0
}

// prepared has the next segment prepared as if there were all the time in the world.
func (p pair) prepared() {
	for p.Preparing() {
		p.Maintain()
	}
}

func segmentsOf(t testing.TB, fs *memfs.FS) []string {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(names, func(name string) bool { return len(name) < 4 || name[len(name)-4:] != ".seg" })
}
