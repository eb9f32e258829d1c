package compare

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Processors returns two processors that this process may use, for a duet.
func Processors() ([]int, error) {
	for _, tool := range []string{"taskset", "chrt"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("a duet keeps processes to a processor by taskset and chrt: install util-linux, or compare without --duet (%w)", err)
		}
	}
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return nil, err
	}
	var two []int
	for i := 0; len(two) < 2 && i < 64*len(allowed); i++ {
		if allowed.IsSet(i) {
			two = append(two, i)
		}
	}
	if len(two) < 2 {
		return nil, fmt.Errorf("a duet needs two processors, and this process may use %d: compare without --duet", len(two))
	}
	return two, nil
}

// keep keeps all threads of a process to a processor, and so those that they will start. One that has ended is no error.
func keep(pid, processor int) error {
	var only unix.CPUSet
	only.Set(processor)
	threads, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "task"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, &only); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("keep process %d to processor %d: %w", pid, processor, err)
		}
	}
	return nil
}
