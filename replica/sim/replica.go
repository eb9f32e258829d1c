package sim

import (
	"errors"
	"math/rand/v2"
	"time"

	"paxosbench/replica/journal"
	"paxosbench/replica/journal/memfs"
	"paxosbench/replica/machine"
	"paxosbench/replica/node"
	"paxosbench/replica/paxos"
	"paxosbench/replica/snapshot"
	"paxosbench/replica/storage"
	"paxosbench/wire"
)

// replica is a replica with its disk, and the Driver of its node.
type replica struct {
	w    *world
	id   wire.ReplicaID
	fs   *memfs.FS
	life int // counts starts and ends, so that what was begun in one life does not reach the next
	up   bool

	node        *node.Node
	connections []*node.Client // by user
	paused      bool
	inbox       []func()
	alarmed     bool          // a round is arranged for a batch that lingers
	goesOn      bool          // a round is arranged for what the last one has left
	restartAt   time.Duration // 0: it stays down until it is healed
	forgetful   bool          // it has lost its memory and does not vote yet
	rotten      bool          // its disk may have been damaged
	tempted     bool          // it is to execute what was not chosen, within the next batch
	astray      bool          // it has
	voted       bool          // in a life that kept nothing, if lives keep nothing

	born     time.Duration
	rate     float64 // of its clock
	skew     time.Duration
	frozen   bool // the clock stands at frozenAt
	frozenAt time.Duration

	storage    *storage.Storage
	durability journal.Durability // of this life
	threads    []func()           // what its threads have come to while it was paused
	restored   []wire.Record      // of earlier lives, without their bodies
	appended   uint64             // records of this life
	staged     []staged
	stalled    time.Duration // until then the disk does nothing

	disk *disk
}

const (
	dataDir   = "data"
	maxWindow = 64 // that a replica grants
)

// errTail ends a life in which the journal has cut its last group, which had been synced and has rotted. The journal
// cannot know; a simulated operator does.
var errTail = errors.New("the last group of the journal has rotted")

// startMode says what a replica may begin with.
type startMode int

const (
	bootstrap startMode = iota // an empty disk
	again                      // what an earlier life has left
)

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
			Self: r.id, Replicas: ids, Quorum1: p.quorum1, Quorum2: p.quorum2, Heartbeat: r.w.heartbeat, ElectionTimeout: r.w.electionTimeout,
			Depth: p.depth, WindowBytes: p.windowBytes, LogBytes: p.logBytes, PinBytes: p.pinBytes, Limits: p.limits.paxos,
			Seed: p.seed ^ uint64(r.life)<<32, Leases: p.reads == wire.ReadsLease, Buffers: new(wire.Buffers),
		},
		Batching: p.batching, Codec: p.codec, Machine: machine.KindKV, Owners: p.owners > 0,
		State:    machine.Config{MaxSessions: p.maxSessions, ActiveFor: p.activeFor, Remembered: p.remembered},
		Identity: snapshot.Identity{Cluster: 1, Settings: 1}, SnapshotBytes: p.snapshotBytes,
		Volatile: p.durability == journal.DurabilityNone, Reads: p.reads, ClientWindow: maxWindow, PendingBytes: p.pendingBytes,
		Random:        rand.New(rand.NewPCG(p.seed, uint64(r.id)<<32|uint64(r.life))).Uint64,
		SnapshotPiece: p.snapshotPiece, ReplyFrame: p.replyFrame, ApplyWork: p.applyWork,
	}
}

// clock is the time as this replica sees it.
func (r *replica) clock() time.Duration {
	if r.frozen {
		return r.frozenAt
	}
	return time.Duration(float64(r.w.now-r.born)*r.rate) + r.skew + 1
}

// start begins a life with what the earlier ones have left on the disk. A disk that was damaged may be refused, and is
// repaired or replaced then.
func (r *replica) start(mode startMode) {
	w := r.w
	if mode == again && !r.forgetful {
		r.tryToForget()
	}
	err := r.recover(mode)
	for err != nil && r.rotten && (errors.Is(err, errTail) || r.refuses(err)) {
		w.logf("%d does not start: %v", r.id, err)
		r.putRight(err)
		err = r.recover(startMode(w.rng.IntN(2))) // the operator may leave a flag in
	}
	if err != nil {
		w.fail("replica %d does not start: %v", r.id, err)
	}
	r.rotten = false
	core := r.node.Core()
	w.logf("%d starts: ballot %v, commit %d, applied %d, records up to %d, forgotten %v", r.id, core.Ballot(), core.Commit(),
		r.node.State().Applied(), r.storage.Base(), r.storage.Amnesiac())
	if r.storage.Amnesiac() != r.forgetful {
		w.fail("replica %d starts as one that has forgotten: %v, want %v", r.id, r.storage.Amnesiac(), r.forgetful)
	}
	w.check.restarted(r)
	if w.chance(0.5) {
		core.Begin(r.clock())
	}
	life := r.life
	w.after(w.between(0, tickInterval), func() { r.tick(life) })
}

// recover begins a life with what earlier ones have left, and compares that with what they had written.
func (r *replica) recover(mode startMode) error {
	r.life++
	r.up, r.paused, r.alarmed, r.goesOn, r.inbox, r.threads = true, false, false, false, nil, nil
	r.born, r.skew, r.frozen = r.w.now, 0, false
	r.appended, r.staged, r.restored, r.connections = 0, nil, nil, nil
	r.chooseDurability()
	r.storage = storage.New(storage.Config{
		Journal: r.journalOptions(mode), Snapshots: r.config().Identity,
	}, &runner{r: r})
	r.node = node.New(r.config(), r, observed{r.storage, r}, r.clock())
	if err := r.storage.Open(watched{r.node, r}); err != nil {
		return err
	}
	replay := newReplay(r)
	for i := range r.restored {
		replay.record(r.storage.Base()-journal.LSN(len(r.restored)-1-i), &r.restored[i])
	}
	if replay.end(r.node.Snapshots().Newest.Slot); replay.missing {
		return errors.Join(errTail, r.storage.Close())
	}
	return nil
}

// votes reports whether the replica counts for a quorum, now or once it is up.
func (r *replica) votes() bool {
	if r.up {
		return r.node.Core().Voting()
	}
	return !r.forgetful && !r.rotten
}

// leads reports whether the replica is up and takes commands.
func (r *replica) leads() bool { return r.up && r.node.Leads() }

func (r *replica) tick(life int) {
	if r.life != life {
		return
	}
	r.act(func() {
		r.tellRoom()
		r.node.Tick(r.clock())
		r.storage.Tick()
	}, false)
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
	r.maybeStray()
	if err := r.node.Round(r.clock()); err != nil {
		if !r.stopAstray(err) {
			r.stop(err)
		}
		return
	}
	r.watchLinger()
	r.goOn()
	r.w.check.round(r)
	if r.forgetful && !r.storage.Amnesiac() {
		r.forgetful = false
		r.w.counts.Rejoined++
		r.w.logf("%d votes again", r.id)
	}
}

// watchLinger gives the replica a round when a batch that waits has lingered long enough, as the alarm of the event loop
// does.
func (r *replica) watchLinger() {
	deadline, waits := r.node.Deadline()
	left := deadline - r.clock()
	if !waits || r.alarmed || left <= 0 {
		return
	}
	r.alarmed = true
	life := r.life
	r.w.after(left, func() {
		if r.life == life {
			r.alarmed = false
			r.act(func() {}, false)
		}
	})
}

// goOn gives the replica another round when one has left something to do, as the event loop does once it has looked at its sockets.
func (r *replica) goOn() {
	if !r.node.Unfinished() || r.goesOn {
		return
	}
	r.goesOn = true
	life := r.life
	r.w.after(r.w.look, func() {
		if r.life == life {
			r.goesOn = false
			r.act(func() {}, false)
		}
	})
}

// stop ends the process for an error. Only that of a disk is one that may happen.
func (r *replica) stop(err error) {
	if _, broken := r.storage.Durable(); broken == nil {
		r.w.fail("replica %d: %v", r.id, err)
	}
	r.w.logf("%d stops: %v", r.id, err)
	r.end(r.durability == journal.DurabilityFsync)
}

// end ends a life, perhaps in the midst of a flush, and arranges for the next one.
func (r *replica) end(power bool) {
	w := r.w
	if _, broken := r.storage.Durable(); broken == nil && w.chance(0.5) {
		r.fs.SetHook(func(c memfs.Call) error {
			if c.Op == memfs.OpSync {
				return errDisk
			}
			return nil
		})
		_, _ = r.storage.Persist(true) // written, at most; the result is discarded: the process is gone
	}
	r.fs.SetHook(nil)
	if power {
		r.fs = r.fs.Crash(w.rng.Uint64())
	} else {
		r.fs = r.fs.Restart()
	}
	r.life++
	r.up, r.paused, r.inbox, r.threads = false, false, nil, nil
	w.hangUp(r)
	if !power {
		w.tellGone(r, 0.7, 2*tickInterval)
	}
	r.restartIn(w.between(0, 6*r.w.electionTimeout))
}

// restartIn arranges for the next life.
func (r *replica) restartIn(d time.Duration) {
	w := r.w
	r.restartAt = w.now + d
	life := r.life
	w.after(d, func() {
		if r.life == life && r.restartAt == w.now {
			r.start(again)
		}
	})
}
