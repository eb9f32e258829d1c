package machine

import (
	"fmt"

	"paxosbench/wire"
)

// CheckQuery returns what is wrong with a fragment, which wire.DecodeFragment has accepted, as the body of a query: it
// may hold nothing but gets.
func CheckQuery(fragment []byte) error {
	for len(fragment) > 0 {
		run, size, err := wire.DecodeRun(fragment)
		if err != nil {
			return err
		}
		fragment = fragment[size:]
		for at := 0; at < len(run.Commands); {
			command, end := run.CommandAt(at)
			if command.Op != wire.OpGet {
				return fmt.Errorf("%w: %v in a query, which may only get", wire.ErrField, command.Op)
			}
			at = end
		}
	}
	return nil
}

// QueryRun answers the first gets of a run from the present state, outside of the log, and takes them off the run: as many as
// the limits allow, which may be none if there is no room for the first value. It appends one reply run, or none. The run must
// come from a fragment that CheckQuery accepts. Whether the present state is recent enough is the caller's affair; no session hears of it,
// and no count that the replicas share.
func (s *State) QueryRun(run *wire.Run, dst []byte, limits Limits) []byte {
	part := stretch{session: run.Session, first: run.First, common: run.Common, commands: run.Commands}
	a := newAnswer(dst, true, limits.End)
	at := 0
	for part.count == 0 || part.count < run.Count && len(a.dst) < limits.Begin {
		op, flags, key, value, end := part.commandAt(at)
		if op != wire.OpGet {
			panic(fmt.Sprintf("BUG: query of a %v", op))
		}
		status, result := s.machine.Apply(op, flags, key, value)
		if a.write(); !a.fits(result) {
			break
		}
		a.addValue(status, result)
		part.count++
		at = end
	}
	if part.count == 0 {
		return dst
	}
	run.First += wire.Seq(part.count)
	run.Count -= part.count
	run.Commands = run.Commands[at:]
	return a.end(&part)
}
