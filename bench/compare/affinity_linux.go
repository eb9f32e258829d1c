package compare

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Processors returns two processors that this process may use, for a duet.
func Processors() ([]int, error) {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return nil, err
	}
	var two []int
	for i := 0; len(two) < 2 && i < 8*len(allowed)*8; i++ {
		if allowed.IsSet(i) {
			two = append(two, i)
		}
	}
	if len(two) < 2 {
		return nil, fmt.Errorf("a duet needs two processors, and this process may use %d: compare without --duet", len(two))
	}
	return two, nil
}

// Exec becomes another program, kept to a processor. It returns only if that fails.
func Exec(processor int, command []string) error {
	runtime.LockOSThread() // it is this thread that is kept there, and that goes on
	var only unix.CPUSet
	only.Set(processor)
	if err := unix.SchedSetaffinity(0, &only); err != nil {
		return fmt.Errorf("processor %d: %w", processor, err)
	}
	if err := unix.Exec(command[0], command, os.Environ()); err != nil {
		return fmt.Errorf("%s: %w", command[0], err)
	}
	return nil
}
