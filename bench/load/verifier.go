package load

import (
	"encoding/binary"
	"fmt"
	"time"

	"paxosbench/bench/client"
	"paxosbench/bench/record"
	"paxosbench/wire"
)

// verifier checks the answers that one thread gets. That operations are answered once and in order, the client has
// checked by then; here it is whether the answers are right.
//
// A run that only writes keys of its own costs nothing: its one possible answer is OK, and what it has written follows from
// how far its sessions have come. A run that reads needs to know what each key holds, which is an array by key and a
// recomputation of each answered operation; so does one whose sessions write the same keys.
type verifier struct {
	work     *workload
	streams  *streams
	sessions []progress
	keys     keyJudge // nil: no answer has depended on an earlier operation
	queries  keyJudge // judges gets that stand outside of their session's order; nil: there are none
	history  *history // nil: not recorded
	scratch  []byte
	doubtful []span // operations of unknown outcome, if nothing else is kept of writes

	common  *sharedKeys // what was known of shared keys when the load had drained
	probing bool        // the answers tell whether values are kept, no more
	nothing int64       // gets answered with success and no value meanwhile

	found record.Verification // sums, and the first violations
}

// span is a number of operations of one session.
type span struct {
	session     int
	first, last client.Number
}

// keyJudge knows what keys hold. There are three: for keys that have one writer, for keys that are shared, and for those that
// nobody writes any more.
type keyJudge interface {
	// write notes that a write of an operation sent at sent was acknowledged at at: the key held id when it was
	// executed, idAbsent after a delete.
	write(key uint64, id valueID, sent, at time.Duration)
	// read judges a read, sent at sent, that found id, or idAbsent, and returns what is wrong, if anything is, and whether
	// enough was known to tell.
	read(key uint64, id valueID, sent time.Duration) (wrong string, judged bool)
	// holds returns what the key held for certain when a write of id was executed that was sent at sent and is just answered,
	// idUnknown if that is not known.
	holds(key uint64, id valueID, sent time.Duration) valueID
	// forget notes that operations of unknown outcome may have written the key.
	forget(key uint64)
}

// progress is how far a session has come; *client.Session is one.
type progress interface {
	SentUpTo() client.Number
	ResentUpTo() client.Number
	Answered() client.Number
}

// maxReports bounds the descriptions of violations that are kept.
const maxReports = 8

// outcome is one answer to one operation.
type outcome struct {
	session int
	n       client.Number
	query   bool // a get that stands outside of its session's order
	operation
	expected valueID // of a compare-and-set
	status   wire.Status
	value    []byte // a view into the reply
	sent, at time.Duration
}

func newVerifier(cfg *Config, work *workload, streams *streams) *verifier {
	v := &verifier{work: work, streams: streams}
	v.follow()
	switch {
	case cfg.KeyDist.shared():
		v.common = newSharedKeys(v, uint64(cfg.Keys))
		v.keys = v.common
	case cfg.Mix.Reads():
		v.keys = make(ownKeys, cfg.Keys)
	}
	if cfg.Verify == VerifyHistory {
		limit := historyLimit
		if cfg.Mix.plain() {
			limit = historyPlain
		}
		v.history = newHistory(uint64(cfg.Keys), limit)
	}
	return v
}

// follow takes note of whose progress is to be looked at.
func (v *verifier) follow() {
	v.sessions = v.sessions[:0]
	for i := range v.streams.clients() {
		v.sessions = append(v.sessions, v.streams.progress(i))
	}
}

// deal has gets judged as queries: of a key that several write that makes no difference, but of a key that has one writer
// a query is not bound to see exactly what its session has done before.
func (v *verifier) deal() {
	v.follow()
	switch keys := v.keys.(type) {
	case *sharedKeys:
		v.queries = keys
	case ownKeys:
		v.queries = &sharedKeys{verifier: v, keys: make([]sharedKey, len(keys)), ordered: true, threads: 1}
	}
}

// sent is called for operations sent for the first time.
func (v *verifier) sent(stream int, first client.Number, count int, at time.Duration) {
	if v.history == nil {
		return
	}
	for i := range count {
		session, n := v.streams.operation(stream, first+client.Number(i))
		o, expected := v.work.effective(session, n)
		if v.history.sampled(o.key) {
			v.history.sent(historyID{session, n}, o, expected, v.work.valueID(session, n), at)
		}
	}
}

// answered checks count operations that were executed with one status and no value. sent is when the first of them
// was sent, which is not after the others.
func (v *verifier) answered(stream int, first client.Number, count int, status wire.Status, sent, at time.Duration) {
	v.found.Checked += int64(count)
	if v.keys == nil && v.history == nil {
		if status != wire.StatusOK {
			v.violation("session %d: put %d answered %v", stream, first, status)
		}
		return
	}
	for i := range count {
		v.judge(stream, first+client.Number(i), status, nil, sent, at)
	}
}

// result checks one operation.
func (v *verifier) result(stream int, n client.Number, status wire.Status, value []byte, sent, at time.Duration) {
	v.found.Checked++
	if v.keys == nil && v.history == nil {
		v.violation("session %d: put %d answered %v with %d bytes", stream, n, status, len(value))
		return
	}
	v.judge(stream, n, status, value, sent, at)
}

func (v *verifier) judge(stream int, n client.Number, status wire.Status, value []byte, sent, at time.Duration) {
	query := stream >= v.streams.clients()
	if v.probing {
		if status == wire.StatusOK && len(value) == 0 {
			v.nothing++
		}
		return
	}
	session, n := v.streams.operation(stream, n)
	o := outcome{session: session, n: n, query: query, status: status, value: value, sent: sent, at: at}
	o.operation, o.expected = v.work.effective(session, n)
	if v.history != nil && v.history.sampled(o.key) {
		v.history.answered(historyID{session, n}, status, wordOf(value), at)
	}
	if v.keys == nil {
		return
	}
	wrong := v.check(&o)
	if v.work.expect != nil && o.op != wire.OpGet {
		v.work.expect.settle(o.key)
	}
	if wrong != "" {
		v.violation("%ssession %d: %v %d of key %d answered %v: %s", v.work.purpose(session, n), session, o.op, n, o.key, status, wrong)
	}
}

// check returns what is wrong with an answer, the empty string if nothing is.
func (v *verifier) check(o *outcome) string {
	switch {
	case o.op == wire.OpPut && o.status == wire.StatusOK:
		v.wrote(o, v.work.valueID(o.session, o.n))
	case o.op == wire.OpGet && o.status == wire.StatusOK:
		return v.checkValue(o)
	case o.op == wire.OpGet && o.status == wire.StatusNotFound:
		v.found.Reads++
		return v.checkRead(o, idAbsent)
	case o.op == wire.OpDelete && (o.status == wire.StatusOK || o.status == wire.StatusNotFound):
		wrong := v.checkDelete(o)
		v.wrote(o, idAbsent)
		return wrong
	case o.op == wire.OpCompareAndSet && o.status == wire.StatusOK:
		wrong := v.judged(v.keys.read(o.key, o.expected, o.sent))
		v.wrote(o, v.work.valueID(o.session, o.n))
		return wrong
	case o.op == wire.OpCompareAndSet && o.status == wire.StatusMismatch:
		return v.checkMismatch(o)
	default:
		return "no such answer to this operation"
	}
	return ""
}

// judged counts a judgement that lacked knowledge, and returns what was found wrong.
func (v *verifier) judged(wrong string, judged bool) string {
	if !judged {
		v.found.NotJudged++
	}
	return wrong
}

// wrote notes that an operation has left id under its key.
func (v *verifier) wrote(o *outcome, id valueID) {
	v.keys.write(o.key, id, o.sent, o.at)
	if v.queries != nil && v.queries != v.keys {
		v.queries.write(o.key, id, o.sent, o.at)
	}
}

// checkMismatch: a compare-and-set with the value that the key is known to hold succeeds.
func (v *verifier) checkMismatch(o *outcome) string {
	held := v.keys.holds(o.key, v.work.valueID(o.session, o.n), o.sent)
	if held == o.expected {
		return "the key holds the expected value"
	}
	return v.judged("", held != idUnknown)
}

// checkDelete: whether there is something to delete is often known.
func (v *verifier) checkDelete(o *outcome) string {
	held := v.keys.holds(o.key, v.work.valueID(o.session, o.n), o.sent)
	if held == idUnknown {
		return v.judged("", false)
	}
	if there := held != idAbsent; there != (o.status == wire.StatusOK) {
		return fmt.Sprintf("the key held %v", held)
	}
	return ""
}

// checkValue checks a value that was read: that it is one, whole, that was written to this key, and the right one.
func (v *verifier) checkValue(o *outcome) string {
	v.found.Reads++
	id := wordOf(o.value)
	if id.tag() != v.work.tag {
		return v.checkForeign(o, id)
	}
	if wrong := v.checkOrigin(o.key, id); wrong != "" {
		return wrong
	}
	var whole bool
	if whole, v.scratch = v.work.values.check(o.value, id, v.scratch); !whole {
		return fmt.Sprintf("%d bytes that are not the value written by operation %d of session %d", len(o.value), id.number(), id.session())
	}
	return v.checkRead(o, id)
}

// checkForeign checks a value that this run has not written. It may have been there before, if this run has written nothing.
func (v *verifier) checkForeign(o *outcome, id valueID) string {
	if id != idUnknown {
		v.found.Foreign++
	}
	wrong := v.checkRead(o, id)
	switch {
	case wrong == "":
		return ""
	case id == idUnknown:
		return fmt.Sprintf("a value of %d bytes, which no one wrote: %s", len(o.value), wrong)
	}
	return wrong + "; if another load is under way, divide the keys by --generator"
}

// checkRead checks what a get found. A get that was sent again was perhaps executed again, when operations behind it in
// its session had taken effect already: then it may have found what one of those left.
func (v *verifier) checkRead(o *outcome, id valueID) string {
	if o.query {
		return v.checkQuery(o, id)
	}
	if own := v.exact(); own != nil && own[o.key] != id && v.leftByLater(o, id) {
		return ""
	}
	return v.judged(v.keys.read(o.key, id, o.sent))
}

// exact returns what is known exactly of keys, nil if sessions share them.
func (v *verifier) exact() ownKeys {
	switch keys := v.keys.(type) {
	case ownKeys:
		return keys
	case *settledKeys:
		return keys.ownKeys
	}
	return nil
}

// checkQuery checks what a get found that stands outside of its session's order.
func (v *verifier) checkQuery(o *outcome, id valueID) string {
	return v.judged(v.queries.read(o.key, id, o.sent))
}

// leftByLater reports whether o was sent again, and an operation behind it in its session that has been sent leaves id
// under its key. A value says which operation has written it; only who has deleted has to be searched for.
func (v *verifier) leftByLater(o *outcome, id valueID) bool {
	s := v.sessions[o.session]
	if o.n > s.ResentUpTo() {
		return false
	}
	if id == idAbsent {
		return v.work.cfg.Mix.deletes() && v.deletedLater(o)
	}
	local, mine := v.mine(id)
	n := o.n + client.Number(id.number()-uint32(o.n))
	return mine && local == o.session && o.n < n && n <= s.SentUpTo() && v.work.valueID(local, n) == id && v.work.operation(local, n).key == o.key
}

// deletedLater reports whether an operation behind o in its session that has been sent deletes its key.
func (v *verifier) deletedLater(o *outcome) bool {
	for n := o.n + 1; n <= v.sessions[o.session].SentUpTo(); n++ {
		if later := v.work.operation(o.session, n); later.key == o.key && later.op == wire.OpDelete {
			return true
		}
	}
	return false
}

// checkOrigin checks that the operation a value names writes this key, and has been sent.
func (v *verifier) checkOrigin(key uint64, id valueID) string {
	local, mine := v.mine(id)
	if !mine {
		return "" // of another thread, whose progress this one does not know
	}
	newest := uint64(v.sessions[local].SentUpTo())
	age := uint64(uint32(newest) - id.number())
	if age >= min(newest, valueNumberMax/2) {
		return fmt.Sprintf("operation %d of session %d, which was never sent", id.number(), local)
	}
	o := v.work.operation(local, client.Number(newest-age))
	if o.key != key || o.op != wire.OpPut && o.op != wire.OpCompareAndSet {
		return fmt.Sprintf("the value of operation %d of session %d, a %v of key %d", newest-age, local, o.op, o.key)
	}
	return ""
}

// mine returns which of this thread's sessions has written a value of this run, if any has.
func (v *verifier) mine(id valueID) (local int, ok bool) {
	local = int(id.session()) - int(v.work.first)
	return local, local >= 0 && local < len(v.sessions)
}

// lost notes operations of unknown outcome.
func (v *verifier) lost(stream int, first client.Number, count int) {
	if v.keys == nil {
		if session, number := v.streams.operation(stream, first); count > 0 {
			v.doubtful = append(v.doubtful, span{session, number, number + client.Number(count) - 1})
		}
		return
	}
	for i := range count {
		key := v.work.operation(v.streams.operation(stream, first+client.Number(i))).key
		v.keys.forget(key)
		if v.queries != nil {
			v.queries.forget(key)
		}
	}
}

// addTo adds what was found to the run's sums.
func (v *verifier) addTo(sum *record.Verification) { sum.Add(&v.found) }

// leave notes that something is not checked.
func (v *verifier) leave(why string) { v.found.NotChecked = append(v.found.NotChecked, why) }

func (v *verifier) violation(format string, args ...any) {
	v.found.Violations++
	if len(v.found.Reports) < maxReports {
		v.found.Reports = append(v.found.Reports, fmt.Sprintf(format, args...))
	}
}

// wordOf returns the id at the beginning of a value, idUnknown if it is too short to have one.
func wordOf(value []byte) valueID {
	if len(value) < valueIDBytes {
		return idUnknown
	}
	return valueID(binary.LittleEndian.Uint64(value))
}

// ownKeys holds, by key, the value that its one writer knows to be there. Sessions are answered in the order in which
// their operations take effect, so the right answer to a read is exactly known.
type ownKeys []valueID

func (k ownKeys) write(key uint64, id valueID, _, _ time.Duration) { k[key] = id }

func (k ownKeys) read(key uint64, id valueID, _ time.Duration) (wrong string, judged bool) {
	known := k[key]
	k[key] = id // what an unknown key turns out to hold is known from then on
	switch known {
	case idUnknown:
		return "", false
	case id:
		return "", true
	}
	return fmt.Sprintf("found %v, the key holds %v", id, known), true
}

func (k ownKeys) holds(key uint64, _ valueID, _ time.Duration) valueID { return k[key] }

func (k ownKeys) forget(key uint64) { k[key] = idUnknown }

// String renders an id for reports.
func (id valueID) String() string {
	switch id {
	case idUnknown:
		return "an unknown value"
	case idAbsent:
		return "no value"
	}
	return fmt.Sprintf("value %d of session %d (run %04x)", id.number(), id.session(), id.tag())
}
