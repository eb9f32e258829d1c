package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"paxosbench/wire"
)

// Usage is what the processes of a cluster have used since they were started, as far as they are alive.
type Usage struct {
	CPU    time.Duration
	Disk   int64 // bytes written that are for a disk
	Memory int64 // bytes resident now
	Wire   int64 // bytes that the host's loopback interface has carried for anybody
}

// Fields of /proc/PID/stat after the name, and the unit that it counts CPU time in.
const (
	userTime, systemTime = 11, 12
	cpuTick              = 10 * time.Millisecond
)

// Usage returns what the cluster has used so far.
func (c *Cluster) Usage() (sum Usage, err error) {
	members, err := c.Members()
	if err != nil {
		return sum, err
	}
	for i := range members {
		if m := &members[i]; m.Alive() {
			one, useErr := usageOf(m.Process.PID)
			err = errors.Join(err, useErr)
			sum.CPU, sum.Disk, sum.Memory = sum.CPU+one.CPU, sum.Disk+one.Disk, sum.Memory+one.Memory
		}
	}
	wire, wireErr := number("/proc/self/net/dev", "lo:", 1)
	sum.Wire = wire
	return sum, errors.Join(err, wireErr)
}

// usageOf returns what a process has used.
func usageOf(pid int) (u Usage, err error) {
	fields, err := stat(pid)
	if err != nil {
		return u, err
	}
	user, err1 := strconv.ParseInt(fields[userTime], 10, 64)
	system, err2 := strconv.ParseInt(fields[systemTime], 10, 64)
	written, err3 := number(fmt.Sprintf("/proc/%d/io", pid), "write_bytes:", 1)
	resident, err4 := number(fmt.Sprintf("/proc/%d/status", pid), "VmRSS:", 1)
	return Usage{CPU: time.Duration(user+system) * cpuTick, Disk: written, Memory: resident << 10}, errors.Join(err1, err2, err3, err4)
}

// Seen is one look at a process of a cluster.
type Seen struct {
	ID   wire.ReplicaID
	Role string // as status shows it; empty: it does not answer
	PID  int
	CPU  time.Duration // since it was started
}

// Look looks at all processes of the cluster.
func (c *Cluster) Look(ctx context.Context) ([]Seen, error) {
	members, err := c.Members()
	if err != nil {
		return nil, err
	}
	seen := make([]Seen, len(members))
	for i, status := range c.looks(ctx, members) {
		m := &members[i]
		seen[i] = Seen{ID: m.ID, Role: status.Role}
		if m.Alive() {
			used, err := usageOf(m.Process.PID)
			if err != nil {
				return nil, err
			}
			seen[i].PID, seen[i].CPU = m.Process.PID, used.CPU
		}
	}
	return seen, nil
}

// number returns a field of the line of a file that begins with a word, which is field 0.
func number(path, word string, field int) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > field && fields[0] == word {
			return strconv.ParseInt(fields[field], 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no line %s", path, word)
}
