package workload

import (
	"math"
	"testing"

	"paxosbench/bench/load/draw"
	"paxosbench/bench/load/units"
	"paxosbench/bench/target"
	"paxosbench/wire"
)

// testConfig is a valid configuration.
func testConfig() *Config {
	return &Config{Clients: 1, Keys: 100_000, KeySize: 8, ValueSize: SmallValues, CompressRatio: 1, Mix: PutOnly, Seed: 1, Generator: units.GeneratorID{Of: 1}}
}

// testWorkload returns the workload that text forms of its parts describe.
func testWorkload(t testing.TB, keys units.Count, clients int, dist, mix string) *Workload {
	t.Helper()
	cfg := testConfig()
	cfg.Keys, cfg.Clients = keys, clients
	if err := cfg.KeyDist.UnmarshalText([]byte(dist)); err != nil {
		t.Fatal(err)
	}
	if err := cfg.Mix.UnmarshalText([]byte(mix)); err != nil {
		t.Fatal(err)
	}
	return New(cfg, NewPicker(cfg), 0xbeef, 0, clients)
}

// keyCounts draws n operations, dealt to the sessions in turn.
func keyCounts(w *Workload, n int) []int {
	counts := make([]int, w.space.keys)
	sessions := int(w.space.sessions)
	for i := range n {
		counts[w.Operation(i%sessions, target.Number(i/sessions+1)).Key]++
	}
	return counts
}

// chiSquare returns the statistic in units of standard deviations above its mean, given the expected probabilities.
func chiSquare(counts []int, n int, p func(int) float64) float64 {
	sum := 0.0
	for i, c := range counts {
		expected := p(i) * float64(n)
		sum += (float64(c) - expected) * (float64(c) - expected) / expected
	}
	freedom := float64(len(counts) - 1)
	return (sum - freedom) / math.Sqrt(2*freedom)
}

// chiLimit is the tolerance of the tests below: four standard deviations.
const chiLimit = 4

func TestUniformKeys(t *testing.T) {
	const n = 500_000
	counts := keyCounts(testWorkload(t, 1000, 4, "uniform", "put:1"), n)
	if x := chiSquare(counts, n, func(int) float64 { return 1.0 / 1000 }); math.Abs(x) > chiLimit {
		t.Errorf("uniform keys are %.1f standard deviations off", x)
	}
}

func TestZipfKeys(t *testing.T) {
	const keys, n = 1000, 500_000
	for _, theta := range []float64{0.5, 0.99, 1.2} {
		z := newZipf(keys, theta)
		counts := make([]int, keys)
		for i := range n {
			counts[z.rank(draw.Hash(uint64(i)))]++
		}
		harmonic := 0.0
		for r := range keys {
			harmonic += math.Pow(float64(r+1), -theta)
		}
		p := func(r int) float64 { return math.Pow(float64(r+1), -theta) / harmonic }
		if x := chiSquare(counts, n, p); math.Abs(x) > chiLimit {
			t.Errorf("theta %v: ranks are %.1f standard deviations off", theta, x)
		}
	}
}

// TestZipfTable adds the table up: each rank's share of all columns must be its probability.
func TestZipfTable(t *testing.T) {
	const keys, theta = 10_000, 0.99
	z := newZipf(keys, theta)
	shares := make([]float64, keys)
	for i, c := range z.columns {
		kept := float64(c.keep) / (1 << 32)
		shares[i] += kept / keys
		shares[c.alias] += (1 - kept) / keys
	}
	harmonic := 0.0
	for r := range keys {
		harmonic += math.Pow(float64(r+1), -theta)
	}
	for r, got := range shares {
		if want := math.Pow(float64(r+1), -theta) / harmonic; math.Abs(got-want) > 1e-9 {
			t.Fatalf("rank %d has share %g, want %g", r, got, want)
		}
	}
}

func TestHotKeys(t *testing.T) {
	const n = 200_000
	counts := keyCounts(testWorkload(t, 1000, 4, "hot:0.1,0.9", "put:1"), n)
	hot := 0
	for _, c := range counts[:100] {
		hot += c
	}
	if share := float64(hot) / n; math.Abs(share-0.9) > 0.003 {
		t.Errorf("the hot tenth of the keys gets %.4f of the operations, want 0.9 within 0.003", share)
	}
	p := func(i int) float64 {
		if i < 100 {
			return 0.9 / 100
		}
		return 0.1 / 900
	}
	if x := chiSquare(counts, n, p); math.Abs(x) > chiLimit {
		t.Errorf("hot keys are %.1f standard deviations off", x)
	}
}

func TestConflictKeys(t *testing.T) {
	const n, sessions = 200_000, 4
	w := testWorkload(t, 1000, sessions, "conflict:20", "put:1")
	conflicts := 0
	owner := make(map[uint64]int)
	for i := range n {
		session := i % sessions
		key := w.Operation(session, target.Number(i/sessions+1)).Key
		if key == 0 {
			conflicts++
			continue
		}
		if other, ok := owner[key]; ok && other != session {
			t.Fatalf("key %d is used by sessions %d and %d", key, other, session)
		}
		owner[key] = session
	}
	if share := float64(conflicts) / n; math.Abs(share-0.2) > 0.004 {
		t.Errorf("%.4f of the operations conflict, want 0.2 within 0.004", share)
	}
}

// TestOwnKeysHaveOneWriter: what makes the answers to reads exactly known.
func TestOwnKeysHaveOneWriter(t *testing.T) {
	for _, dist := range []string{"uniform", "seq", "latest"} {
		const sessions = 7
		w := testWorkload(t, 100, sessions, dist, "put:0.5,get:0.5")
		for i := range 50_000 {
			session := i % sessions
			if key := w.Operation(session, target.Number(i/sessions+1)).Key; key%sessions != uint64(session) || key >= 100 {
				t.Fatalf("%s: session %d uses key %d", dist, session, key)
			}
		}
	}
}

func TestSequentialKeysCoverTheSpace(t *testing.T) {
	counts := keyCounts(testWorkload(t, 1000, 5, "seq", "put:1"), 3000)
	for key, c := range counts {
		if c != 3 {
			t.Fatalf("key %d is used %d times in three rounds", key, c)
		}
	}
}

// TestLatestReadsFavourNewKeys: puts go round the keys, and most gets hit what was written within the last blocks.
func TestLatestReadsFavourNewKeys(t *testing.T) {
	w := testWorkload(t, 100_000, 1, "latest", "put:0.05,get:0.95")
	next, recent, reads := uint64(0), 0, 0
	for n := target.Number(1); n <= 100_000; n++ {
		o := w.Operation(0, n)
		if o.Op == wire.OpPut {
			next++
			continue
		}
		if block := (uint64(n) - 1) / mixBlock; block < 2 {
			continue
		}
		reads++
		if age := next - o.Key; age < 200 { // wraps round for keys ahead
			recent++
		}
	}
	// Of 100,000 ranks with theta 0.99 the first hundred or so have about 43 % of the weight.
	if share := float64(recent) / float64(reads); share < 0.40 || share > 0.55 {
		t.Errorf("%.3f of the reads hit the last 200 keys written, want 0.40 to 0.55", share)
	}
}

func TestMixIsExactInEveryBlock(t *testing.T) {
	w := testWorkload(t, 10_000, 2, "uniform", "put:0.453,get:0.297,delete:0.05,cas:0.2")
	for block := range 20 {
		counts := make(map[wire.Op]int)
		for i := range mixBlock {
			counts[w.Operation(1, target.Number(block*mixBlock+i+1)).Op]++
		}
		if counts[wire.OpPut] != 453 || counts[wire.OpGet] != 297 || counts[wire.OpDelete] != 50 || counts[wire.OpCompareAndSet] != 200 {
			t.Errorf("block %d has %v", block, counts)
		}
	}
}

func TestShuffleIsAPermutation(t *testing.T) {
	for random := range uint64(500) {
		var seen [mixBlock]bool
		for i := range mixBlock {
			seen[shuffle(i, draw.Hash(random))] = true
		}
		for rank, ok := range seen {
			if !ok {
				t.Fatalf("random %d: rank %d is never drawn", random, rank)
			}
		}
	}
}

// Operations of one kind do not stand in long runs, whatever the seed: in a shuffled block of two kinds the longest run has
// about ten.
func TestEveryBlockIsShuffled(t *testing.T) {
	for _, mix := range []string{"put:0.5,get:0.5", "get:0.5,cas:0.5", "put:0.25,get:0.25,delete:0.25,cas:0.25"} {
		for seed := range uint64(60) {
			w := testWorkload(t, 10_000, 1, "uniform", mix)
			w.seed = draw.Hash(seed)
			longest, run, last := 0, 0, wire.Op(0)
			for n := target.Number(1); n <= 20_000; n++ {
				op := w.Operation(0, n).Op
				if op != last {
					run, last = 0, op
				}
				run++
				longest = max(longest, run)
			}
			if longest > 32 {
				t.Errorf("%s, seed %d: %d operations of one kind in a row", mix, seed, longest)
			}
		}
	}
}

// Neighbours in a block are no likelier to be of one kind than chance has it.
func TestShuffleHasNoPattern(t *testing.T) {
	same, pairs := 0, 0
	for block := range uint64(2000) {
		random := draw.Hash(block)
		for i := range mixBlock - 1 {
			if (shuffle(i, random) < mixBlock/2) == (shuffle(i+1, random) < mixBlock/2) {
				same++
			}
			pairs++
		}
	}
	if share := float64(same) / float64(pairs); math.Abs(share-0.4995) > 0.005 {
		t.Errorf("%.4f of neighbours are of one kind, want 0.4995", share)
	}
}

func TestPreloadWritesEveryKeyOnce(t *testing.T) {
	w := testWorkload(t, 1003, 7, "zipf:0.99", "get:1")
	for session := range w.plans {
		w.Insert(session, Preload, 0, w.Owned(session))
	}
	counts := make([]int, 1003)
	for session := range 7 {
		for n := range w.Owned(session) {
			o := w.Operation(session, target.Number(n+1))
			if o.Op != wire.OpPut {
				t.Fatalf("operation %d of the preload is a %v", n+1, o.Op)
			}
			counts[o.Key]++
		}
		if o := w.Operation(session, target.Number(w.Owned(session)+1)); o.Op != wire.OpGet {
			t.Errorf("the first operation after the preload is a %v", o.Op)
		}
	}
	for key, c := range counts {
		if c != 1 {
			t.Fatalf("key %d is written %d times", key, c)
		}
	}
}

func TestSeedDeterminesTheWorkload(t *testing.T) {
	a, b := testWorkload(t, 1000, 2, "uniform", "put:0.5,get:0.5"), testWorkload(t, 1000, 2, "uniform", "put:0.5,get:0.5")
	c := testWorkload(t, 1000, 2, "uniform", "put:0.5,get:0.5")
	c.seed = draw.Hash(99)
	same := 0
	for n := target.Number(1); n <= 1000; n++ {
		if a.Operation(1, n) != b.Operation(1, n) {
			t.Fatalf("operation %d differs with the same seed", n)
		}
		if a.Operation(1, n) == c.Operation(1, n) {
			same++
		}
	}
	if same > 100 {
		t.Errorf("%d of 1000 operations are the same with another seed", same)
	}
}

// Generators never write each other's keys nor make each other's values, whatever the number of their sessions.
func TestGeneratorsShareNothing(t *testing.T) {
	for _, dist := range []string{"uniform", "seq", "latest"} {
		owner := make(map[uint64]int)
		for index, clients := range []int{3, 8, 1} {
			cfg := testConfig()
			cfg.Keys, cfg.Clients, cfg.Generator, cfg.Preload = 1000, clients, units.GeneratorID{Index: index, Of: 3}, true
			cfg.Mix.UnmarshalText([]byte("put:0.5,get:0.5"))
			if err := cfg.KeyDist.UnmarshalText([]byte(dist)); err != nil {
				t.Fatal(err)
			}
			w := New(cfg, NewPicker(cfg), 0xbeef, 0, clients)
			for i := range 20_000 {
				o := w.Operation(i%clients, target.Number(i/clients+1))
				if before, ok := owner[o.Key]; ok && before != index || o.Key >= 1000 {
					t.Fatalf("%s: key %d is used by generators %d and %d", dist, o.Key, before, index)
				}
				owner[o.Key] = index
			}
		}
		if len(owner) != 1000 {
			t.Errorf("%s: %d of 1000 keys are used", dist, len(owner))
		}
	}
	tags := make(map[uint16]int)
	for index := range 3 {
		for random := range 1 << 16 {
			tag := Tag(units.GeneratorID{Index: index, Of: 3}, uint16(random))
			if before, ok := tags[tag]; ok && before != index || tag == 0 {
				t.Fatalf("tag %d of generators %d and %d", tag, before, index)
			}
			tags[tag] = index
		}
	}
}

// With one seed, the sessions of one generator do not draw what those of another do, also where keys are shared.
func TestGeneratorsDrawApart(t *testing.T) {
	workloads := make([]*Workload, 2)
	for i := range workloads {
		cfg := testConfig()
		cfg.Generator, cfg.Clients = units.GeneratorID{Index: i, Of: 2}, 2+i
		cfg.KeyDist.UnmarshalText([]byte("zipf:0.5"))
		cfg.Mix.UnmarshalText([]byte("put:0.5,get:0.5"))
		workloads[i] = New(cfg, NewPicker(cfg), 0xbeef, 0, cfg.Clients)
	}
	same := 0
	for session := range 2 {
		for n := target.Number(1); n <= 1000; n++ {
			if workloads[0].Operation(session, n) == workloads[1].Operation(session, n) {
				same++
			}
		}
	}
	if same > 20 {
		t.Errorf("%d of 2000 operations of two generators are the same", same)
	}
}

// Scattered ranks are the same ranks under other keys, and the same for every generator.
func TestScatteredKeys(t *testing.T) {
	for _, n := range []uint64{1, 2, 3, 5, 64, 1000, 65_537} {
		s, seen := newScatter(n), make([]bool, n)
		for rank := range n {
			key := s.of(rank)
			if key >= n || seen[key] {
				t.Fatalf("of %d keys rank %d has key %d, which is another's", n, rank, key)
			}
			seen[key] = true
		}
	}
	s, near := newScatter(100_000), 0
	for rank := range uint64(100) {
		if d := int64(s.of(rank) - s.of(rank+1)); max(d, -d) < 1000 {
			near++
		}
	}
	if near > 10 {
		t.Errorf("%d of the hundred hottest keys have the next one within a hundredth of the key space", near)
	}
	const n = 500_000
	counts := keyCounts(testWorkload(t, 1000, 4, "scattered:0.99", "put:1"), n)
	byRank := make([]int, 1000)
	for rank := range byRank {
		byRank[rank] = counts[newScatter(1000).of(uint64(rank))]
	}
	harmonic := 0.0
	for r := range 1000 {
		harmonic += math.Pow(float64(r+1), -0.99)
	}
	p := func(r int) float64 { return math.Pow(float64(r+1), -0.99) / harmonic }
	if x := chiSquare(byRank, n, p); math.Abs(x) > chiLimit {
		t.Errorf("ranks are %.1f standard deviations off", x)
	}
}

// YCSB's workload F: half of its operations read a record, half read one and write it.
func TestReadModifyWrite(t *testing.T) {
	w := testWorkload(t, 1000, 2, "scattered:0.99", mixReadModifyWrite)
	readFirst, reads := 0, make(map[uint64]int)
	for unit := range 3000 {
		var ops [3]Operation
		for i := range ops {
			ops[i] = w.Operation(1, target.Number(3*unit+i+1))
		}
		put := 2
		if ops[1].Op == wire.OpPut {
			put = 1
		}
		read := ops[(put+1)%3]
		if put == 2 {
			readFirst++
		}
		if ops[put].Op != wire.OpPut || ops[put-1] != (Operation{wire.OpGet, ops[put].Key}) || read.Op != wire.OpGet {
			t.Fatalf("unit %d is %v", unit, ops)
		}
		reads[read.Key]++
	}
	if readFirst < 1300 || readFirst > 1700 || len(reads) < 200 {
		t.Errorf("%d of 3000 reads come first, of %d keys", readFirst, len(reads))
	}
}

// A recall that has begun when the load ends gives way to what follows, and keeps what of it was assigned.
func TestStretchIsCut(t *testing.T) {
	w := testWorkload(t, 100, 2, "uniform", "put:1")
	w.Insert(1, Recall, 10, 8)
	recalled := w.Operation(1, 12)
	w.Cut(1, 13)
	w.Cut(1, 50) // ends before
	w.Insert(1, ReadBack, 13, w.Owned(1))
	if want := (Operation{wire.OpGet, w.Operation(1, 9).Key}); recalled != want || w.Operation(1, 12) != want {
		t.Errorf("the recall has become %v, and was %v", w.Operation(1, 12), want)
	}
	for i := range w.Owned(1) {
		if got := w.Operation(1, target.Number(14+i)); got != (Operation{wire.OpGet, w.Own(1, i)}) {
			t.Errorf("operation %d of the reading back is %v", i, got)
		}
	}
	plain := testWorkload(t, 100, 2, "uniform", "put:1")
	for i := range target.Number(20) { // the mix goes on where it was
		if got, want := w.Operation(1, 14+target.Number(w.Owned(1))+i), plain.Operation(1, 11+i); got != want {
			t.Errorf("operation %d behind it is %v, want %v", i, got, want)
		}
	}
}
