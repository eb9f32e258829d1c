package workload

import (
	"math"
	"slices"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"paxosbench/bench/target"
)

func testValues(t testing.TB, sizes string, ratio float64) *values {
	t.Helper()
	v := &values{random: 1 / ratio}
	if err := v.sizes.UnmarshalText([]byte(sizes)); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestValueSizes: 100,000 values, mean and shares within four standard errors.
func TestValueSizes(t *testing.T) {
	const n = 100_000
	v := testValues(t, "uniform:16,1KiB", 1)
	sum := 0.0
	for i := range uint64(n) {
		size := v.size(makeValueID(3, 1, i))
		if size < 16 || size > 1024 {
			t.Fatalf("size %d outside 16..1024", size)
		}
		sum += float64(size)
	}
	if mean := sum / n; math.Abs(mean-520) > 4*291.3/math.Sqrt(n) {
		t.Errorf("mean size %.2f, want 520", mean)
	}
	v = testValues(t, "weighted:16@0.9,1KiB@0.1", 1)
	long := 0
	for i := range uint64(n) {
		if v.size(makeValueID(3, 1, i)) == 1024 {
			long++
		}
	}
	if share := float64(long) / n; math.Abs(share-0.1) > 4*0.3/math.Sqrt(n) {
		t.Errorf("%.4f of the values are long, want 0.1", share)
	}
}

// TestCompressibility compresses a megabyte of values with the two compressors of the replicas: the ratio reached is
// the one asked for within 15 %. Zeros do not compress to nothing, and random bytes do not compress at all.
func TestCompressibility(t *testing.T) {
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer encoder.Close()
	for _, ratio := range []float64{1, 2, 4} {
		v := testValues(t, "1KiB", ratio)
		var all []byte
		for i := range uint64(1024) {
			id := makeValueID(3, 1, i)
			all = v.append(all, id, v.size(id))
		}
		for name, size := range map[string]int{"s2": len(s2.Encode(nil, all)), "zstd": len(encoder.EncodeAll(all, nil))} {
			if got := float64(len(all)) / float64(size); got < ratio*0.85 || got > ratio*1.15 {
				t.Errorf("%s compresses values made for %v by %.2f", name, ratio, got)
			}
		}
	}
}

// TestEveryByteOfAValueIsChecked flips each bit of values of several sizes.
func TestEveryByteOfAValueIsChecked(t *testing.T) {
	var scratch []byte
	for _, sizes := range []string{"9", "15", "16", "17", "100", "5000"} {
		v := testValues(t, sizes, 2)
		id := makeValueID(0xbeef, 12, 345)
		value := v.append(nil, id, v.size(id))
		ok := false
		if ok, scratch = v.check(value, id, scratch); !ok {
			t.Fatalf("size %s: the value itself is refused", sizes)
		}
		for bit := range 8 * len(value) {
			value[bit/8] ^= 1 << (bit % 8)
			if ok, scratch = v.check(value, id, scratch); ok {
				t.Fatalf("size %s: bit %d flipped and not noticed", sizes, bit)
			}
			value[bit/8] ^= 1 << (bit % 8)
		}
		if ok, scratch = v.check(value[:len(value)-1], id, scratch); ok {
			t.Fatalf("size %s: a shorter value is not noticed", sizes)
		}
	}
}

func TestValueIDKeepsItsParts(t *testing.T) {
	id := makeValueID(0xbeef, maxSessions-1, 1<<40+7)
	if id.tag() != 0xbeef || id.Session() != maxSessions-1 || id.Number() != 7 {
		t.Errorf("tag %x, session %d, number %d", id.tag(), id.Session(), id.Number())
	}
}

// The seed determines how long values are, and the tag, which is new in every run, does not.
func TestSeedDeterminesSizes(t *testing.T) {
	sizes := func(seed uint64, tag uint16) (all []int) {
		cfg := testConfig()
		cfg.Seed = seed
		if err := cfg.ValueSize.UnmarshalText([]byte("uniform:8,1000")); err != nil {
			t.Fatal(err)
		}
		w := New(cfg, NewPicker(cfg), tag, 0, cfg.Clients)
		for n := range target.Number(100) {
			all = append(all, w.values.size(w.ValueID(0, n+1)))
		}
		return all
	}
	if !slices.Equal(sizes(1, 0xbeef), sizes(1, 0xcafe)) {
		t.Error("sizes differ with the same seed")
	}
	if slices.Equal(sizes(1, 0xbeef), sizes(2, 0xbeef)) {
		t.Error("sizes are the same with another seed")
	}
}

func BenchmarkValue(b *testing.B) {
	for _, size := range []string{"16", "16KiB"} {
		b.Run(size, func(b *testing.B) {
			v := testValues(b, size, 1)
			var value []byte
			number := uint64(0)
			for b.Loop() {
				number++
				value = v.append(value[:0], makeValueID(1, 1, number), v.sizes.bounds[0].size)
			}
			b.SetBytes(int64(len(value)))
		})
	}
}
