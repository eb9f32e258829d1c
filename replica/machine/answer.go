package machine

import "paxosbench/wire"

// answer builds one reply run. While all results are the same status it only counts them; from the first value or
// different status on it writes them out.
type answer struct {
	dst     []byte
	start   int // length of dst before the reply run
	count   int
	status  wire.Status // of all results so far, while plain
	plain   bool        // all results so far are the same status without a value
	written bool
	quiet   bool // nobody wants the answer
	most    int  // Limits.End
}

// Limits bound an answer, by the length of what it is appended to, and the work that it is.
type Limits struct {
	Begin    int // behind it no result begins, but the first
	End      int // behind it no value ends
	Commands int // so many are executed, and as many repeated, at most; 0: any number
}

// atMost returns how many of n commands may be executed.
func (l *Limits) atMost(n int) int {
	if l.Commands == 0 {
		return n
	}
	return min(n, l.Commands)
}

// newAnswer returns an answer that end will have appended to dst, or, if it is not wanted, will not. No value in it ends behind
// most bytes of dst.
func newAnswer(dst []byte, wanted bool, most int) answer {
	return answer{dst: dst, start: len(dst), plain: true, quiet: !wanted, most: most}
}

// add appends n results without values.
func (a *answer) add(status wire.Status, n int) {
	if n == 0 || a.quiet {
		return
	}
	if !a.written && (a.count == 0 || status == a.status) {
		a.status = status
		a.count += n
		return
	}
	for range n {
		a.addValue(status, nil)
	}
}

// addValue appends a result with a value, or at least written out. If there is no room for the value it says BUSY: then this is a
// get, which has changed nothing, and its client asks again.
func (a *answer) addValue(status wire.Status, value []byte) {
	if a.quiet {
		return
	}
	a.write()
	if !a.fits(value) {
		status, value = wire.StatusBusy, nil
	}
	if a.count == 0 {
		a.status = status
	}
	a.plain = a.plain && status == a.status && len(value) == 0
	a.dst = wire.AppendResult(a.dst, status, value)
	a.count++
}

// fits reports whether there is room for a value, once write has been called. What is no value always has room.
func (a *answer) fits(value []byte) bool {
	return len(a.dst)+wire.ResultHeaderSize+len(value) <= a.most || len(value) == 0
}

// write writes out the results that have only been counted.
func (a *answer) write() {
	if a.written {
		return
	}
	a.written = true
	a.dst = wire.BeginReplyRun(a.dst)
	for range a.count {
		a.dst = wire.AppendResult(a.dst, a.status, nil)
	}
}

// end completes the reply run as the answer to part and returns dst.
func (a *answer) end(part *stretch) []byte {
	switch {
	case a.quiet:
		return a.dst
	case a.plain:
		return wire.AppendUniformReply(a.dst[:a.start], part.session, part.first, part.count, a.status)
	}
	wire.EndReplyRun(a.dst, a.start, part.session, part.first, part.count)
	return a.dst
}
