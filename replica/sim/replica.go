package sim

import (
	"errors"
	"log/slog"
	"slices"
	"time"

	"paxosbench/batching"
	"paxosbench/replica/journal"
	"paxosbench/replica/journal/memfs"
	"paxosbench/replica/machine"
	"paxosbench/replica/node"
	"paxosbench/replica/paxos"
	"paxosbench/replica/snapshot"
	"paxosbench/wire"
)

// replica is a replica with its disk, and the Env of its node.
type replica struct {
	w    *world
	id   wire.ReplicaID
	fs   *memfs.FS
	life int // counts starts and ends, so that what was begun in one life does not reach the next
	up   bool

	node      *node.Node
	born      time.Duration
	rate      float64 // of its clock
	paused    bool
	inbox     []func()
	restartAt time.Duration // 0: it stays down until it is healed
	forgetful bool          // it has lost its disk and does not vote yet

	journal  *journal.Journal
	base     journal.LSN // of the last record of earlier lives
	covered  wire.Slot   // the journal is not asked for slots up to here
	flushing bool
	broken   error // a failed flush: the process ends
	staged   []staged
	settled  wire.Slot // the journal holds everything up to here
	released wire.Slot

	store  *snapshot.Store
	writer *snapshot.Writer
	slot   wire.Slot // of writer
	jobs   []func()

	disk disk
}

// staged is a record that is not durable yet.
type staged struct {
	lsn journal.LSN
	paxos.Record
}

const dataDir = "data"

// start modes.
type startMode int

const (
	bootstrap startMode = iota
	again
)

var errDisk = errors.New("simulated disk error")

func newReplica(w *world, id wire.ReplicaID) *replica {
	return &replica{w: w, id: id, fs: memfs.New(), rate: 1 + w.drift*(2*w.rng.Float64()-1), disk: newDisk()}
}

func (r *replica) config() node.Config {
	var ids []wire.ReplicaID
	for i := range r.w.plan.replicas {
		ids = append(ids, wire.ReplicaID(i+1))
	}
	p := &r.w.plan
	return node.Config{
		Paxos: paxos.Config{
			Self: r.id, Replicas: ids, Quorum1: p.quorum1, Quorum2: p.quorum2, Heartbeat: heartbeat, ElectionTimeout: electionTimeout,
			Depth: p.depth, WindowBytes: 1 << 20, LogBytes: p.logBytes, PinBytes: 1 << 20,
			Seed: p.seed ^ uint64(r.life)<<32, Buffers: new(wire.Buffers),
		},
		Batching: p.batching, Codec: p.codec, Machine: machine.KindKV, State: machine.Config{MaxSessions: maxSessions},
		Identity: snapshot.Identity{Cluster: 1, ConfigHash: 1}, SnapshotBytes: p.snapshotBytes,
	}
}

// maxSessions leaves room for the sessions that clients register more than once.
const maxSessions = 1 << 12

// clock is the time as this replica sees it.
func (r *replica) clock() time.Duration { return time.Duration(float64(r.w.now-r.born)*r.rate) + 1 }

// start begins a life with what the earlier ones have left on the disk.
func (r *replica) start(mode startMode) {
	w := r.w
	r.life++
	r.up, r.paused, r.inbox, r.born = true, false, nil, w.now
	r.flushing, r.broken, r.staged, r.writer, r.jobs = false, nil, nil, nil, nil
	r.base, r.covered, r.settled, r.released = 0, 0, 0, 0
	r.node = node.New(r.config(), r, r.clock())
	r.store = snapshot.NewStore(r.fs, dataDir, r.config().Identity, slog.New(slog.DiscardHandler))
	if err := r.recover(mode); err != nil {
		w.fail("replica %d does not start: %v", r.id, err)
	}
	core := r.node.Core()
	w.logf("%d starts: ballot %v, commit %d, applied %d, records up to %d, forgotten %v", r.id, core.Ballot(), core.Commit(),
		r.node.State().Applied(), r.base, r.journal.Forgot())
	w.check.restarted(r)
	life := r.life
	w.after(w.between(0, tickInterval), func() { r.tick(life) })
}

// recover restores the newest snapshot and then the journal, as production does.
func (r *replica) recover(mode startMode) error {
	begun := false
	begin := func() error {
		begun = true
		state, damaged, err := r.store.Restore(func() *machine.Restorer {
			return machine.NewRestorer(machine.NewKV(), r.config().State)
		})
		if err != nil || damaged != nil {
			return errors.Join(err, damagedError(damaged))
		}
		if state != nil {
			r.node.RestoreSnapshot(state, r.store.Newest())
			r.covered = state.Applied()
			r.disk.snapshot = max(r.disk.snapshot, r.covered)
		}
		return nil
	}
	var err error
	r.journal, err = journal.Open(journal.Options{
		FS: r.fs, Dir: dataDir, Durability: journal.DurabilityFsync, SegmentBytes: 16 * journal.BlockSize,
		Identity:  journal.Identity{Cluster: 1, Replica: r.id, ConfigHash: 1},
		Bootstrap: mode == bootstrap, Rejoin: r.forgetful, Salt: r.w.seed | 1,
	}, func(lsn journal.LSN, rec *journal.Record) error {
		if !begun {
			if err := begin(); err != nil {
				return err
			}
		}
		r.base = lsn
		p := paxos.Record{
			Kind: paxos.RecordKind(rec.Kind), Ballot: rec.Ballot, Slot: rec.Slot, Commit: rec.Commit,
			Codec: rec.Codec, RawLen: rec.RawLen, BodyCRC: rec.BodyCRC, Body: rec.Body,
		}
		r.disk.add(&p)
		return r.node.Restore(&p)
	})
	if err == nil && !begun {
		err = begin()
	}
	if err == nil && r.journal.Forgot() {
		r.node.Forget()
	}
	return err
}

func damagedError(damaged *snapshot.CorruptError) error {
	if damaged == nil {
		return nil
	}
	return damaged
}

// votes reports whether the replica counts for a quorum, now or once it is up.
func (r *replica) votes() bool {
	if r.up {
		return r.node.Core().Voting()
	}
	return !r.forgetful
}

func (r *replica) tick(life int) {
	if r.life != life {
		return
	}
	r.act(func() { r.node.Tick(r.clock()) }, false)
	if r.life == life {
		r.w.after(tickInterval, func() { r.tick(life) })
	}
}

// act lets the replica do something and then have its round. What comes while it is paused waits, but for ticks.
func (r *replica) act(do func(), waits bool) {
	if r.paused {
		if waits {
			r.inbox = append(r.inbox, do)
		}
		return
	}
	if !r.up {
		return
	}
	do()
	if err := r.node.Round(r.clock()); err != nil {
		r.w.fail("replica %d: %v", r.id, err)
	}
	r.afterRound()
}

// afterRound is what the driver does behind a round: it stops after a failed flush, has snapshots written, cuts the
// journal, and remembers that the replica votes again.
func (r *replica) afterRound() {
	w := r.w
	if r.broken != nil {
		w.logf("%d stops: %v", r.id, r.broken)
		r.end(true)
		return
	}
	if len(r.jobs) > 0 {
		jobs, life := r.jobs, r.life
		r.jobs = nil
		w.after(w.sync, func() {
			for _, job := range jobs {
				if r.life == life {
					r.act(job, true)
				}
			}
		})
	}
	if r.forgetful && r.node.Core().Voting() {
		if err := r.journal.Rejoined(); err != nil {
			w.logf("%d stops: %v", r.id, err)
			r.end(true)
			return
		}
		r.forgetful = false
		w.logf("%d votes again", r.id)
	}
	w.check.round(r)
	if through := r.node.Releasable(); through > r.released && r.settled > r.node.Snapshots().Newest.Slot {
		r.released = through
		r.journal.Truncate(through)
	}
}

// crash ends the process; with power, the machine loses what the disk had not synced.
func (r *replica) crash(power bool) {
	if !r.up || r.w.chance(0.2) && r.w.calm {
		return
	}
	if power {
		r.w.counts.PowerLosses++
	} else {
		r.w.counts.Crashes++
	}
	r.w.logf("%d crashes, power loss: %v", r.id, power)
	r.end(power)
}

// end ends a life, perhaps in the midst of a flush, and arranges for the next one.
func (r *replica) end(power bool) {
	w := r.w
	if r.broken == nil && w.chance(0.5) {
		r.fs.SetHook(func(c memfs.Call) error {
			if c.Op == memfs.OpSync {
				return errDisk
			}
			return nil
		})
		_, _ = r.journal.Flush() // written, at most: what it returns, nobody lives to hear
	}
	r.fs.SetHook(nil)
	if power {
		r.fs = r.fs.Crash(w.rng.Uint64())
	} else {
		r.fs = r.fs.Restart()
	}
	r.life++
	r.up, r.paused, r.inbox = false, false, nil
	r.restartAt = w.now + w.between(0, 6*electionTimeout)
	life := r.life
	w.after(r.restartAt-w.now, func() {
		if r.life == life && r.restartAt == w.now {
			r.start(again)
		}
	})
}

// loseDisk ends the process and replaces the disk by an empty one. Only one replica at a time may be without memory:
// otherwise what was acknowledged could be gone, and rightly so.
func (r *replica) loseDisk() {
	w := r.w
	if !r.up || slices.ContainsFunc(w.replicas, func(o *replica) bool { return o != r && o.forgetful }) {
		return
	}
	w.counts.LostDisks++
	w.logf("%d loses its disk", r.id)
	r.end(true)
	r.fs, r.disk, r.forgetful = memfs.New(), newDisk(), true
}

// pause has the process not scheduled for a while.
func (r *replica) pause(d time.Duration) {
	if !r.up || r.paused {
		return
	}
	r.w.counts.Pauses++
	r.w.logf("%d pauses for %v", r.id, d)
	r.paused = true
	life := r.life
	r.w.after(d, func() {
		if r.life == life {
			r.resume()
		}
	})
}

func (r *replica) resume() {
	r.paused = false
	inbox, life := r.inbox, r.life
	r.inbox = nil
	for _, do := range inbox {
		if r.life == life {
			r.act(do, true)
		}
	}
}

// failSync makes the next sync fail.
func (r *replica) failSync() {
	if !r.up {
		return
	}
	r.w.counts.SyncErrors++
	r.fs.SetHook(func(c memfs.Call) error {
		if c.Op == memfs.OpSync {
			return errDisk
		}
		return nil
	})
}

// heal brings the replica back to work.
func (r *replica) heal() {
	r.fs.SetHook(nil)
	if !r.up {
		r.start(again)
	} else if r.paused {
		r.resume()
	}
}

// Send implements node.Env.
func (r *replica) Send(m *wire.Message) {
	w := r.w
	sent := *m
	sent.Body = slices.Clone(m.Body)
	w.check.send(r, &sent)
	w.transmit(func() {
		to := w.replicas[sent.To-1]
		if w.blocked[[2]wire.ReplicaID{r.id, to.id}] {
			w.counts.Lost++
			return
		}
		w.counts.Delivered++
		w.logf("%d <- %d %v ballot %v slot %d last %d commit %d nonce %d flags %d, %d bytes", to.id, r.id, sent.Type, sent.Ballot, sent.Slot,
			sent.Last, sent.Commit, sent.Nonce, sent.Flags, len(sent.Body))
		copied := sent
		copied.Body = slices.Clone(sent.Body)
		to.act(func() { to.node.Step(to.clock(), &copied) }, true)
	})
}

// Append implements node.Env.
func (r *replica) Append(rec *paxos.Record) {
	r.w.check.append(r, rec)
	lsn := r.journal.Append(&journal.Record{
		Kind: journal.Kind(rec.Kind), Ballot: rec.Ballot, Slot: rec.Slot, Commit: rec.Commit,
		Codec: rec.Codec, RawLen: rec.RawLen, BodyCRC: rec.BodyCRC, Body: rec.Body,
	})
	r.staged = append(r.staged, staged{lsn, *rec})
}

// Persist implements node.Env.
func (r *replica) Persist(alone bool) uint64 {
	if alone && !r.flushing && r.w.chance(0.5) {
		return r.flush()
	}
	if !r.flushing {
		r.flushing = true
		life := r.life
		r.w.after(r.w.exponential(r.w.sync), func() {
			if r.life == life {
				r.act(func() { r.flushed() }, true)
			}
		})
	}
	return 0
}

// flushed is what the sync thread's word leads to.
func (r *replica) flushed() {
	r.flushing = false
	if n := r.flush(); n > 0 {
		r.node.Persisted(r.clock(), n)
	}
}

// flush makes what is staged durable and returns how many records of this life are.
func (r *replica) flush() uint64 {
	lsn, err := r.journal.Flush()
	if err != nil {
		r.broken = err
		return 0
	}
	for len(r.staged) > 0 && r.staged[0].lsn <= lsn {
		r.disk.add(&r.staged[0].Record)
		r.w.check.accepted(r, &r.staged[0].Record)
		r.settled = max(r.settled, r.staged[0].Slot)
		r.staged = r.staged[1:]
	}
	if lsn < r.base {
		return 0
	}
	return uint64(lsn - r.base)
}

// Replies implements node.Env.
func (r *replica) Replies(batching.Origin) []byte { return []byte{} }

// Answered implements node.Env.
func (r *replica) Answered(origin batching.Origin, replies []byte, _ int) {
	w := r.w
	w.check.answered(r)
	c := w.clients[origin-1]
	w.transmit(func() { c.reply(replies) })
}

// LeaderChanged implements node.Env.
func (r *replica) LeaderChanged(lost bool) {
	r.w.logf("%d: leader %d, ballot %v, role %v", r.id, r.node.Core().Leader(), r.node.Core().Ballot(), r.node.Core().Role())
}

// Fetch implements node.Env.
func (r *replica) Fetch(f paxos.Fetch) {
	m := wire.Message{Type: wire.TypeEntries, From: r.id, To: f.Peer, Slot: f.From, Commit: r.node.Core().Commit()}
	oldest := max(r.covered+1, r.journal.FirstSlot())
	body, last, err := r.journal.ReadEntries(f.From, f.Through, f.MaxBytes, nil)
	if f.From < oldest || err != nil { // in a hole, where a snapshot stands for older slots than the first in the journal
		m.Slot, m.Flags = max(oldest, f.From+1), wire.FlagTruncated
	} else {
		m.Last, m.Body = last, body
	}
	m.BodyCRC = wire.Checksum(m.Body)
	r.Send(&m)
}

func (r *replica) later(job func()) { r.jobs = append(r.jobs, job) }

// BeginSnapshot implements node.SnapshotStore.
func (r *replica) BeginSnapshot(slot wire.Slot, form snapshot.Form) {
	r.later(func() {
		r.abort()
		r.writer, r.slot = r.store.Create(slot, form), slot
	})
}

// WriteSnapshot implements node.SnapshotStore.
func (r *replica) WriteSnapshot(piece []byte) { r.later(func() { r.writer.Write(piece) }) }

// EndSnapshot implements node.SnapshotStore.
func (r *replica) EndSnapshot() {
	r.later(func() {
		info, err := r.writer.Commit()
		r.writer = nil
		if err != nil {
			r.fs.SetHook(nil)
			r.node.SnapshotFailed(r.slot)
			return
		}
		r.w.counts.Snapshots++
		r.w.logf("%d has stored a snapshot of slot %d", r.id, info.Slot)
		r.disk.snapshot = info.Slot
		if r.node.SnapshotStored(info) {
			r.covered = info.Slot
		}
	})
}

// AbortSnapshot implements node.SnapshotStore.
func (r *replica) AbortSnapshot() { r.later(r.abort) }

func (r *replica) abort() {
	if r.writer != nil {
		r.writer.Abort()
		r.writer = nil
	}
}

// ClearSnapshots implements node.SnapshotStore.
func (r *replica) ClearSnapshots() {
	r.later(func() {
		if err := r.store.Clear(); err != nil {
			r.w.fail("replica %d cannot remove snapshots: %v", r.id, err)
		}
	})
}

// SnapshotRoom implements node.SnapshotStore.
func (r *replica) SnapshotRoom() bool { return len(r.jobs) < 4 }

// SendSnapshot implements node.SnapshotStore.
func (r *replica) SendSnapshot(to wire.ReplicaID, slot wire.Slot, offset uint64) {
	if m, ok := r.store.Answer(slot, offset); ok {
		m.From, m.To = r.id, to
		r.Send(&m)
	}
}
