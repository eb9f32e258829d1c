package record

import (
	"fmt"
	"math/big"
	"math/bits"
)

// Sum is a sum of products of numbers that are not negative. It has 128 bits: a backlog of a billion operations for an hour is
// more than 64 hold. The zero Sum is 0.
type Sum struct{ hi, lo uint64 }

// Add adds a*b.
func (s *Sum) Add(a, b int64) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	s.Merge(Sum{hi, lo})
}

// Merge adds o.
func (s *Sum) Merge(o Sum) {
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, o.lo, 0)
	s.hi, _ = bits.Add64(s.hi, o.hi, carry)
}

// Float returns the sum to the precision of a float64.
func (s Sum) Float() float64 { return float64(s.hi)*(1<<64) + float64(s.lo) }

// Over returns the sum divided by n, rounded down. The quotient must fit, as a mean of the numbers added does.
func (s Sum) Over(n int64) int64 {
	quotient, _ := bits.Div64(s.hi, s.lo, uint64(n))
	return int64(quotient)
}

// MarshalJSON renders the sum as a number.
func (s Sum) MarshalJSON() ([]byte, error) {
	n := new(big.Int).SetUint64(s.hi)
	return n.Lsh(n, 64).Add(n, new(big.Int).SetUint64(s.lo)).Append(nil, 10), nil
}

// UnmarshalJSON parses a number.
func (s *Sum) UnmarshalJSON(text []byte) error {
	n, ok := new(big.Int).SetString(string(text), 10)
	if !ok || n.Sign() < 0 || n.BitLen() > 128 {
		return fmt.Errorf("sum %s: want a whole number of at most 128 bits", text)
	}
	s.lo = new(big.Int).And(n, new(big.Int).SetUint64(1<<64-1)).Uint64()
	s.hi = n.Rsh(n, 64).Uint64()
	return nil
}
