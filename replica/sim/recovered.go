package sim

import (
	"paxosbench/replica/journal"
	"paxosbench/wire"
)

// disk is what one disk holds, as the checkers know it. A replica that loses its disk gets another one.
type disk struct {
	promised wire.Ballot
	slots    map[wire.Slot]stored
	commit   wire.Slot // highest commit index that a record carries
	snapshot wire.Slot // stands for every slot up to here
	learnt   wire.Slot // the replica votes on the strength of knowing everything up to here; 0: it has never forgotten

	// The journal. Records up to durable are durable, those up to proven also leave traces of that.
	records  map[journal.LSN]*written
	durable  journal.LSN
	proven   journal.LSN
	released wire.Slot // records of slots up to here may be gone
}

// stored is what is durable for a slot.
type stored struct {
	ballot  wire.Ballot
	crc     uint32
	decided bool
}

// written is what was written under one number of the journal.
type written struct {
	content  []content   // one if it is durable; else all since the number was first used, any of which may be found
	promised wire.Ballot // by all records up to this one; once it is durable
}

// content identifies a record.
type content struct {
	kind         wire.RecordKind
	ballot       wire.Ballot
	slot, commit wire.Slot
	codec        wire.Codec
	rawLen, crc  uint32
}

func newDisk() *disk {
	return &disk{slots: map[wire.Slot]stored{}, records: map[journal.LSN]*written{}}
}

func contentOf(rec *wire.Record) content {
	return content{rec.Kind, rec.Ballot, rec.Slot, rec.Commit, rec.Codec, rec.RawLen, rec.BodyCRC}
}

// add notes a record that has become durable.
func (d *disk) add(rec *wire.Record) {
	if rec.Kind != wire.RecordChosen {
		d.promised = max(d.promised, rec.Ballot)
	}
	d.commit = max(d.commit, rec.Commit)
	if rec.Kind.NamesSlot() {
		d.slots[rec.Slot] = stored{rec.Ballot, rec.BodyCRC, rec.Kind == wire.RecordChosen}
	}
}

// holds reports whether the value of a slot is durable, or a snapshot that covers it.
func (d *disk) holds(s wire.Slot, crc uint32) bool {
	got, ok := d.slots[s]
	return ok && got.crc == crc || d.snapshot >= s
}

// write notes a record that is about to be written.
func (d *disk) write(lsn journal.LSN, rec *wire.Record) {
	if d.records[lsn] == nil {
		d.records[lsn] = new(written)
	}
	d.records[lsn].content = append(d.records[lsn].content, contentOf(rec))
}

// sync notes that the newest content of a record is durable. Numbers come in order.
func (d *disk) sync(lsn journal.LSN) {
	r := d.records[lsn]
	r.content = r.content[len(r.content)-1:]
	d.settle(lsn, r)
}

func (d *disk) settle(lsn journal.LSN, r *written) {
	if before := d.records[lsn-1]; before != nil {
		r.promised = before.promised
	}
	if c := &r.content[0]; c.kind != wire.RecordChosen {
		r.promised = max(r.promised, c.ballot)
	}
	d.durable = lsn
}

// replay compares what a restart finds in the journal with what was written: nothing durable is missing, but for what
// had been released, and nothing is there that was not written.
type replay struct {
	r           *replica
	disk        *disk
	first, last journal.LSN
	missing     bool // durable records at the end, after damage that nothing on the disk tells from a torn tail
}

func newReplay(r *replica) *replay { return &replay{r: r, disk: r.disk} }

// record takes the next record that the journal replays.
func (p *replay) record(lsn journal.LSN, rec *wire.Record) {
	w, d := p.r.w, p.disk
	first := p.first == 0 && p.last == 0
	if !first && lsn != p.last+1 {
		w.fail("replica %d recovers record %d behind record %d", p.r.id, lsn, p.last)
	}
	if first {
		p.first = lsn
	}
	p.last = lsn
	if first && rec.Kind == wire.RecordPromise && p.isHeader(lsn, rec) {
		d.promised = max(d.promised, rec.Ballot)
		return
	}
	written := d.records[lsn]
	if written == nil || !written.settleAs(contentOf(rec)) {
		w.fail("replica %d recovers as record %d what was never written: kind %d, ballot %v, slot %d", p.r.id, lsn, rec.Kind, rec.Ballot, rec.Slot)
	}
	durable := d.durable
	d.settle(lsn, written)
	d.durable = max(d.durable, durable)
	p.r.isDurable(rec)
}

// settleAs notes which of the possible contents was found.
func (r *written) settleAs(found content) bool {
	for _, c := range r.content {
		if c == found {
			r.content = append(r.content[:0], found)
			return true
		}
	}
	return false
}

// isHeader reports whether a promise is the one that the header of the oldest segment carries for all that was before.
func (p *replay) isHeader(lsn journal.LSN, rec *wire.Record) bool {
	before := p.disk.records[lsn]
	return before != nil && lsn <= p.disk.durable && before.promised == rec.Ballot && (before.content[0] != contentOf(rec))
}

// end checks that nothing is missing, behind the last record. The state that was restored from a snapshot is that of
// slot covered.
func (p *replay) end(covered wire.Slot) {
	w, d, r := p.r.w, p.disk, p.r
	if d != r.disk {
		return
	}
	if covered < d.snapshot && !r.rotten {
		w.fail("replica %d recovers the snapshot of slot %d, that of slot %d was durable", r.id, covered, d.snapshot)
	}
	for lsn := journal.LSN(1); lsn < p.first; lsn++ {
		if c := d.records[lsn].content[0]; c.kind.NamesSlot() && c.slot > d.released {
			w.fail("replica %d has let go of record %d of slot %d, but slots above %d are needed", r.id, lsn, c.slot, d.released)
		}
	}
	if p.missing = p.last < d.durable; p.missing && (!r.rotten || p.last < d.proven) {
		w.fail("replica %d recovers records up to %d, those up to %d were durable", r.id, p.last, d.durable)
	}
	for lsn := p.last + 1; d.records[lsn] != nil; lsn++ {
		delete(d.records, lsn)
	}
	d.durable, d.proven, d.snapshot = p.last, p.last, covered
}
