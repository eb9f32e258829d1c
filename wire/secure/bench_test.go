package secure_test

import (
	"fmt"
	"testing"
)

// What a loop pays for a read and for a write of so many bytes, both sides of it together.
func BenchmarkRecords(b *testing.B) {
	for _, size := range []int{32, 1 << 10, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			near, far := ends(b)
			text := make([]byte, size)
			var sealed, plain []byte
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if sealed, err = near.Seal(sealed[:0], text); err != nil {
					b.Fatal(err)
				}
				if plain, err = far.Open(plain[:0], sealed); err != nil || len(plain) != size {
					b.Fatal(err)
				}
			}
		})
	}
}
