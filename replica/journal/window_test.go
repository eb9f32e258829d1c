package journal

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

// contents is a file that holds given bytes, and fails to be read from somewhere on.
type contents struct {
	File
	data  []byte
	fails int64
}

var errContents = errors.New("no more")

func (c *contents) Size() (int64, error) { return int64(len(c.data)), nil }

func (c *contents) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > c.fails {
		return 0, errContents
	}
	return copy(p, c.data[off:]), nil
}

func newContents(size int, random *rand.Rand) *contents {
	c := &contents{data: make([]byte, size), fails: int64(size)}
	for i := 0; i < size; i += 1 + random.IntN(64) {
		c.data[i] = byte(random.Uint32())
	}
	return c
}

// What the window shows is what the file holds, however one moves over it, from one file to the next.
func TestWindowShowsTheFile(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var w window
	for _, size := range []int{0, BlockSize, 3 * BlockSize, pieceBytes, pieceBytes + BlockSize, 20 * pieceBytes, 5*pieceBytes + 7*BlockSize, BlockSize} {
		c := newContents(size+random.IntN(BlockSize), random)
		if err := w.open(c, "file"); err != nil {
			t.Fatal(err)
		}
		for off := 0; off <= size; {
			n := min(1+random.IntN([]int{64, BlockSize, pieceBytes, maxRecordSize}[random.IntN(4)]), size-off)
			got, err := w.bytes(int64(off), n)
			if err != nil || !bytes.Equal(got, c.data[off:off+n]) {
				t.Fatalf("size %d: %d bytes at %d are not what the file holds (%v)", size, n, off, err)
			}
			switch random.IntN(40) {
			case 0:
				off = random.IntN(size + 1) // anywhere
			case 1, 2, 3:
				off = max(0, off-random.IntN(BlockSize)) // looks back
			default:
				off += max(1, n-random.IntN(n+1))
			}
		}
		if got, err := w.bytes(int64(size)-8, 9+BlockSize); got != nil || err != nil {
			t.Errorf("size %d: %d bytes behind the end, %v", size, len(got), err)
		}
		w.close()
	}
}

// An error of what is read ahead shows where it is, and not before.
func TestWindowFailsWhereTheFileDoes(t *testing.T) {
	c := newContents(8*pieceBytes, rand.New(rand.NewPCG(3, 4)))
	c.fails = 3 * pieceBytes
	var w window
	if err := w.open(c, "file"); err != nil {
		t.Fatal(err)
	}
	for off := int64(0); off < c.fails; off += BlockSize {
		if _, err := w.bytes(off, BlockSize); err != nil {
			t.Fatalf("at %d: %v", off, err)
		}
	}
	if _, err := w.bytes(c.fails, 1); !errors.Is(err, errContents) {
		t.Errorf("at %d: %v", c.fails, err)
	}
	w.close()
}
