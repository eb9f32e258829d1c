//go:build !linux

package compare

import "errors"

var errNoAffinity = errors.New("a duet keeps processes to a processor, which only Linux can: compare without --duet")

// Processors returns two processors that this process may use, for a duet.
func Processors() ([]int, error) { return nil, errNoAffinity }

func keep(string, int) error { return errNoAffinity }
