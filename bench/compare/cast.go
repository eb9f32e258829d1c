package compare

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"paxosbench/bench/cluster"
)

// cast is the processes of a side that run.
type cast struct {
	read  int // bytes of the file in which they say that they are there
	there []*cluster.Process
}

// meet notes who has come, and forgets who has gone: the system uses process ids again.
func (c *cast) meet(file string) error {
	c.there = slices.DeleteFunc(c.there, func(p *cluster.Process) bool { return !p.Alive() })
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	whole := strings.LastIndexByte(string(text), '\n') + 1
	for pid := range strings.FieldsSeq(string(text[c.read:whole])) {
		id, err := strconv.Atoi(pid)
		if err != nil {
			return err
		}
		if p, err := cluster.Identify(id); err == nil { // else it has ended
			c.there = append(c.there, p)
		}
	}
	c.read = whole
	return nil
}

// keep keeps all that are there to a processor.
func (c *cast) keep(processor int) (err error) {
	for _, p := range c.there {
		err = errors.Join(err, keep(p.PID, processor))
	}
	return err
}
