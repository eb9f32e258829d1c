package client

import (
	"fmt"

	"paxosbench/wire"
)

// Op is what a command does.
type Op = wire.Op

// The operations.
const (
	Put           = wire.OpPut           // sets Key to Value
	Get           = wire.OpGet           // returns what Key holds
	Delete        = wire.OpDelete        // removes Key
	CompareAndSet = wire.OpCompareAndSet // sets Key to Value if it holds Expected
)

// Command is an operation for Submit.
type Command struct {
	Op    Op
	Key   []byte // at most 65,535 bytes
	Value []byte // of put and compare-and-set; at most 1 MiB, together with Expected and four bytes of a compare-and-set
	// Expected is what a compare-and-set compares with; if Absent is true it expects that there is no such key.
	Expected []byte
	Absent   bool
}

// encode returns the command as it is sent.
func (c *Command) encode() ([]byte, error) {
	valueLen := 0
	switch c.Op {
	case Put:
		valueLen = len(c.Value)
	case CompareAndSet:
		if valueLen = 4 + len(c.Expected) + len(c.Value); c.Absent && len(c.Expected) > 0 {
			return nil, fmt.Errorf("%w: a compare-and-set that expects %d bytes, and that there are none: give one of the two", ErrInvalid, len(c.Expected))
		}
	case Get, Delete:
	default:
		return nil, fmt.Errorf("%w: %v: want put, get, delete or cas", ErrInvalid, c.Op)
	}
	if err := wire.CheckSize(c.Op, len(c.Key), valueLen); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	dst := make([]byte, 0, wire.CommandHeaderSize+len(c.Key)+valueLen)
	if c.Op == CompareAndSet {
		flags := uint8(0)
		if c.Absent {
			flags = wire.FlagExpectAbsent
		}
		return wire.AppendCompareAndSet(dst, flags, c.Key, c.Expected, c.Value), nil
	}
	return wire.AppendCommand(dst, c.Op, 0, c.Key, c.Value[:valueLen]), nil
}

// Result is what came of a command.
type Result struct {
	Value []byte // of a get
	Err   error  // see the package's errors
}
