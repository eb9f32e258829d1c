// Package verify checks the answers of a run: that each is possible after what was answered before, that values are whole and those
// that were written, and, of sampled keys, that some order of all operations explains every answer. It knows what operations are
// from the workload, and is told of each when it is sent and when it is answered; it sends nothing, and what it lacks the knowledge
// to judge it counts as such.
package verify

import (
	"fmt"
	"math"
	"time"

	"paxosbench/bench/load/streams"
	"paxosbench/bench/load/workload"
	"paxosbench/bench/record"
	"paxosbench/bench/target"
	"paxosbench/wire"
)

// Verifier checks the answers that one thread gets. That operations are answered once and in order, the client has
// checked by then; here it is whether the answers are right.
//
// A run that only writes keys of its own costs nothing: its one possible answer is OK, and what it has written follows from
// how far its sessions have come. A run that reads needs to know what each key holds, which is an array by key and a
// recomputation of each answered operation; so does one whose sessions write the same keys.
type Verifier struct {
	cfg      *workload.Config
	work     *workload.Workload
	streams  *streams.Streams
	sessions []streams.Progress
	threads  int             // of all generators that write the keys
	keys     keyJudge        // nil: no answer has depended on an earlier operation
	queries  keyJudge        // judges gets that stand outside of their session's order; nil: there are none
	history  *history        // nil: not recorded
	lasting  bool            // an operation of unknown outcome may take effect at any time
	lost     map[uint64]bool // then: the keys of such operations of the load
	doubtful []span          // operations of unknown outcome, if nothing else is kept of writes
	full     bool            // a put was refused because the store is full: what keys hold is not known, if nothing else is kept of writes

	common  *sharedKeys // what was known of shared keys when the load had drained
	probing bool        // the answers tell whether values are kept, no more
	nothing int64       // gets answered with success and no value meanwhile

	found record.Verification // sums, and the first violations
}

// span is a number of operations of one session.
type span struct {
	session     int
	first, last target.Number
}

// keyJudge knows what keys hold. There are three: for keys that have one writer, for keys that are shared, and for those that
// nobody writes any more.
type keyJudge interface {
	// write notes that a write of an operation sent at sent was acknowledged at at: the key held id when it was
	// executed, Absent after a delete.
	write(key uint64, id workload.ValueID, sent, at time.Duration)
	// read judges a read, sent at sent, that found id, or Absent, and returns what is wrong, if anything is, and whether
	// enough was known to tell.
	read(key uint64, id workload.ValueID, sent time.Duration) (wrong string, judged bool)
	// holds returns what the key held for certain when a write of id was executed that was sent at sent and is just answered,
	// Unknown if that is not known.
	holds(key uint64, id workload.ValueID, sent time.Duration) workload.ValueID
	// forget notes that operations of unknown outcome may have written the key.
	forget(key uint64)
}

// maxReports bounds the descriptions of violations that are kept.
const maxReports = 8

// outcome is one answer to one operation.
type outcome struct {
	session int
	n       target.Number
	query   bool // a get that stands outside of its session's order
	workload.Operation
	expected workload.ValueID // of a compare-and-set
	status   wire.Status
	value    []byte // a view into the reply
	sent, at time.Duration
}

// New returns a verifier of the answers that one thread gets to its part of a workload. threads is the number of those of all
// generators. sessions tells that operations take effect once and in order, or not at all; without them one of unknown outcome may
// take effect at any time. m is not None.
func New(m Mode, cfg *workload.Config, threads int, sessions bool, work *workload.Workload, s *streams.Streams) *Verifier {
	v := &Verifier{cfg: cfg, work: work, streams: s, threads: threads, lasting: !sessions, lost: make(map[uint64]bool)}
	v.follow()
	switch {
	case cfg.KeyDist.Shared():
		v.common = newSharedKeys(v, work.Keys())
		v.keys = v.common
	case cfg.Mix.Reads() && v.lasting:
		v.common = newOrderedKeys(v)
		v.keys = v.common
	case cfg.Mix.Reads():
		v.keys = make(ownKeys, work.Keys())
	}
	if m == History {
		limit := historyLimit
		if cfg.Mix.Plain() {
			limit = historyPlain
		}
		v.history = newHistory(work.Keys(), limit)
	}
	return v
}

// follow takes note of whose progress is to be looked at.
func (v *Verifier) follow() {
	v.sessions = v.sessions[:0]
	for i := range v.streams.Clients() {
		v.sessions = append(v.sessions, v.streams.Progress(i))
	}
}

// Deal has gets judged as queries: of a key that several write that makes no difference, but of a key that has one writer
// a query is not bound to see exactly what its session has done before.
func (v *Verifier) Deal() {
	v.follow()
	switch keys := v.keys.(type) {
	case *sharedKeys:
		v.queries = keys
	case ownKeys:
		v.queries = newOrderedKeys(v)
	}
}

// Sent is called for operations sent for the first time.
func (v *Verifier) Sent(stream int, first target.Number, count int, at time.Duration) {
	if v.history == nil {
		return
	}
	for i := range count {
		session, n := v.streams.Operation(stream, first+target.Number(i))
		o, expected := v.work.Effective(session, n)
		if v.history.sampled(o.Key) {
			v.history.sent(historyID{session, n}, o, expected, v.work.ValueID(session, n), at)
		}
	}
}

// Answered checks count operations that were executed with one status and no value. sent is when the first of them
// was sent, which is not after the others.
func (v *Verifier) Answered(stream int, first target.Number, count int, status wire.Status, sent, at time.Duration) {
	v.found.Checked += int64(count)
	if v.keys == nil && v.history == nil {
		v.put(stream, first, status, nil)
		return
	}
	for i := range count {
		v.judge(stream, first+target.Number(i), status, nil, sent, at)
	}
}

// Result checks one operation.
func (v *Verifier) Result(stream int, n target.Number, status wire.Status, value []byte, sent, at time.Duration) {
	v.found.Checked++
	if v.keys == nil && v.history == nil {
		v.put(stream, n, status, value) // one of several with different answers
		return
	}
	v.judge(stream, n, status, value, sent, at)
}

// put checks the answer to a put of a load that does nothing else.
func (v *Verifier) put(stream int, n target.Number, status wire.Status, value []byte) {
	v.full = v.full || status == wire.StatusFull
	if status != wire.StatusOK && status != wire.StatusFull || len(value) > 0 {
		v.violation("session %d: put %d answered %v with %d bytes", stream, n, status, len(value))
	}
}

func (v *Verifier) judge(stream int, n target.Number, status wire.Status, value []byte, sent, at time.Duration) {
	query := stream >= v.streams.Clients()
	if v.probing {
		if status == wire.StatusOK && len(value) == 0 {
			v.nothing++
		}
		return
	}
	session, n := v.streams.Operation(stream, n)
	o := outcome{session: session, n: n, query: query, status: status, value: value, sent: sent, at: at}
	o.Operation, o.expected = v.work.Effective(session, n)
	if v.history != nil && v.history.sampled(o.Key) {
		v.history.answered(historyID{session, n}, status, workload.WordOf(value), at)
	}
	if v.keys == nil {
		return
	}
	wrong := v.check(&o)
	v.work.Answered(o.Operation)
	if wrong != "" {
		v.violation("%ssession %d: %v %d of key %d answered %v: %s", v.work.Purpose(session, n), session, o.Op, n, o.Key, status, wrong)
	}
}

// check returns what is wrong with an answer, the empty string if nothing is.
func (v *Verifier) check(o *outcome) string {
	switch {
	case o.Op == wire.OpPut && o.status == wire.StatusOK:
		v.wrote(o, v.work.ValueID(o.session, o.n))
	case o.Op == wire.OpGet && o.status == wire.StatusOK:
		return v.checkValue(o)
	case o.Op == wire.OpGet && o.status == wire.StatusNotFound:
		v.found.Reads++
		return v.checkRead(o, workload.Absent)
	case o.Op == wire.OpDelete && (o.status == wire.StatusOK || o.status == wire.StatusNotFound):
		wrong := v.checkDelete(o)
		v.wrote(o, workload.Absent)
		return wrong
	case o.Op == wire.OpCompareAndSet && o.status == wire.StatusOK:
		wrong := v.judged(v.keys.read(o.Key, o.expected, o.sent))
		v.wrote(o, v.work.ValueID(o.session, o.n))
		return wrong
	case o.status == wire.StatusFull && (o.Op == wire.OpPut || o.Op == wire.OpCompareAndSet): // it has changed nothing
	case o.Op == wire.OpCompareAndSet && o.status == wire.StatusMismatch:
		return v.checkMismatch(o)
	default:
		return "no such answer to this operation"
	}
	return ""
}

// judged counts a judgement that lacked knowledge, and returns what was found wrong.
func (v *Verifier) judged(wrong string, judged bool) string {
	if !judged {
		v.found.NotJudged++
	}
	return wrong
}

// wrote notes that an operation has left id under its key.
func (v *Verifier) wrote(o *outcome, id workload.ValueID) {
	v.keys.write(o.Key, id, o.sent, o.at)
	if v.queries != nil && v.queries != v.keys {
		v.queries.write(o.Key, id, o.sent, o.at)
	}
}

// checkMismatch: a compare-and-set with the value that the key is known to hold succeeds.
func (v *Verifier) checkMismatch(o *outcome) string {
	held := v.keys.holds(o.Key, v.work.ValueID(o.session, o.n), o.sent)
	if held == o.expected {
		return "the key holds the expected value"
	}
	return v.judged("", held != workload.Unknown)
}

// checkDelete: whether there is something to delete is often known.
func (v *Verifier) checkDelete(o *outcome) string {
	held := v.keys.holds(o.Key, v.work.ValueID(o.session, o.n), o.sent)
	if held == workload.Unknown {
		return v.judged("", false)
	}
	if there := held != workload.Absent; there != (o.status == wire.StatusOK) {
		return fmt.Sprintf("the key held %v", held)
	}
	return ""
}

// checkValue checks a value that was read: that it is one, whole, that was written to this key, and the right one.
func (v *Verifier) checkValue(o *outcome) string {
	v.found.Reads++
	id := workload.WordOf(o.value)
	if !v.work.OfRun(id) {
		return v.checkForeign(o, id)
	}
	if wrong := v.checkOrigin(o.Key, id); wrong != "" {
		return wrong
	}
	if !v.work.Whole(o.value, id) {
		return fmt.Sprintf("%d bytes that are not the value written by operation %d of session %d", len(o.value), id.Number(), id.Session())
	}
	return v.checkRead(o, id)
}

// checkForeign checks a value that this run has not written. It may have been there before, if this run has written nothing.
func (v *Verifier) checkForeign(o *outcome, id workload.ValueID) string {
	if id != workload.Unknown {
		v.found.Foreign++
	}
	wrong := v.checkRead(o, id)
	switch {
	case wrong == "":
		return ""
	case id == workload.Unknown:
		return fmt.Sprintf("a value of %d bytes, which no one wrote: %s", len(o.value), wrong)
	}
	return wrong + "; if another load is under way, divide the keys by --generator"
}

// checkRead checks what a get found. A get that was sent again was perhaps executed again, when operations behind it in
// its session had taken effect already: then it may have found what one of those left.
func (v *Verifier) checkRead(o *outcome, id workload.ValueID) string {
	if o.query {
		return v.checkQuery(o, id)
	}
	if own := v.exact(); own != nil && own[o.Key] != id && v.leftByLater(o, id) {
		return ""
	}
	return v.judged(v.keys.read(o.Key, id, o.sent))
}

// exact returns what is known exactly of keys, nil if sessions share them.
func (v *Verifier) exact() ownKeys {
	switch keys := v.keys.(type) {
	case ownKeys:
		return keys
	case *settledKeys:
		return keys.ownKeys
	}
	return nil
}

// checkQuery checks what a get found that stands outside of its session's order.
func (v *Verifier) checkQuery(o *outcome, id workload.ValueID) string {
	return v.judged(v.queries.read(o.Key, id, o.sent))
}

// leftByLater reports whether o was sent again, and an operation behind it in its session that has been sent leaves id
// under its key. A value says which operation has written it; only who has deleted has to be searched for.
func (v *Verifier) leftByLater(o *outcome, id workload.ValueID) bool {
	s := v.sessions[o.session]
	if o.n > s.ResentUpTo() {
		return false
	}
	if id == workload.Absent {
		return v.cfg.Mix.Deletes() && v.deletedLater(o)
	}
	local, mine := v.work.Mine(id)
	n := o.n + target.Number(id.Number()-uint32(o.n))
	return mine && local == o.session && o.n < n && n <= s.SentUpTo() && v.work.ValueID(local, n) == id && v.work.Operation(local, n).Key == o.Key
}

// deletedLater reports whether an operation behind o in its session that has been sent deletes its key.
func (v *Verifier) deletedLater(o *outcome) bool {
	for n := o.n + 1; n <= v.sessions[o.session].SentUpTo(); n++ {
		if later := v.work.Operation(o.session, n); later.Key == o.Key && later.Op == wire.OpDelete {
			return true
		}
	}
	return false
}

// checkOrigin checks that the operation a value names writes this key, and has been sent.
func (v *Verifier) checkOrigin(key uint64, id workload.ValueID) string {
	local, mine := v.work.Mine(id)
	if !mine {
		return "" // of another thread, whose progress this one does not know
	}
	newest := uint64(v.sessions[local].SentUpTo())
	age := uint64(uint32(newest) - id.Number())
	if age >= min(newest, math.MaxUint32/2) {
		return fmt.Sprintf("operation %d of session %d, which was never sent", id.Number(), local)
	}
	o := v.work.Operation(local, target.Number(newest-age))
	if o.Key != key || o.Op != wire.OpPut && o.Op != wire.OpCompareAndSet {
		return fmt.Sprintf("the value of operation %d of session %d, a %v of key %d", newest-age, local, o.Op, o.Key)
	}
	return ""
}

// Lost notes operations of unknown outcome.
func (v *Verifier) Lost(stream int, first target.Number, count int) {
	if v.keys == nil {
		if session, number := v.streams.Operation(stream, first); count > 0 {
			v.doubtful = append(v.doubtful, span{session, number, number + target.Number(count) - 1})
		}
	}
	_, settled := v.keys.(*settledKeys)
	for i := range count {
		key := v.work.Operation(v.streams.Operation(stream, first+target.Number(i))).Key
		if v.lasting && !settled { // others look at what was lost by then
			v.lost[key] = true
		}
		if v.keys != nil {
			v.keys.forget(key)
		}
		if v.queries != nil {
			v.queries.forget(key)
		}
	}
}

// Found returns what was found so far: sums, and the first violations.
func (v *Verifier) Found() *record.Verification { return &v.found }

// Leave notes that something is not checked.
func (v *Verifier) Leave(why string) { v.found.NotChecked = append(v.found.NotChecked, why) }

func (v *Verifier) violation(format string, args ...any) {
	v.found.Violations++
	if len(v.found.Reports) < maxReports {
		v.found.Reports = append(v.found.Reports, fmt.Sprintf(format, args...))
	}
}

// ownKeys holds, by key, the value that its one writer knows to be there. Sessions are answered in the order in which
// their operations take effect, so the right answer to a read is exactly known.
type ownKeys []workload.ValueID

func (k ownKeys) write(key uint64, id workload.ValueID, _, _ time.Duration) { k[key] = id }

func (k ownKeys) read(key uint64, id workload.ValueID, _ time.Duration) (wrong string, judged bool) {
	known := k[key]
	k[key] = id // what an unknown key turns out to hold is known from then on
	switch known {
	case workload.Unknown:
		return "", false
	case id:
		return "", true
	}
	return fmt.Sprintf("found %v, the key holds %v", id, known), true
}

func (k ownKeys) holds(key uint64, _ workload.ValueID, _ time.Duration) workload.ValueID {
	return k[key]
}

func (k ownKeys) forget(key uint64) { k[key] = workload.Unknown }
