package paxos

import (
	"fmt"
	"time"

	"paxosbench/pipeline"
	"paxosbench/wire"
)

// Role is what a replica is doing about leadership. Every replica is an acceptor and a learner all the time.
type Role uint8

// Roles.
const (
	Follower     Role = iota // follows a leader, or waits for one
	PreCandidate             // asks whether an election could be won
	Candidate                // runs phase 1
	Leader                   // runs phase 2
)

var roleNames = [...]string{"follower", "pre-candidate", "candidate", "leader"}

// String returns the role as /status spells it.
func (r Role) String() string { return roleNames[r] }

// Ready is what has to be done for the core since the last call of Ready. Its slices are valid until the next call of
// Ready.
//
// The order is free, with one rule that the core sees to itself: what may only be said once a record is durable is
// not in Messages until Persisted has told the core so.
type Ready struct {
	// Records go to the journal in this order; their bodies stay the log's, the journal copies them. They are numbered from 1 since the start of the core; Persisted takes
	// the number of the newest durable one.
	Records []wire.Record

	// Messages are to be sent now. Loss, duplication and reordering are survived. The body of an Accept belongs to
	// the log; any other body belongs to whoever sends, and goes back to Config.Buffers.
	Messages []wire.Message

	// Fetches are requests of peers for slots that are no longer in memory, to be answered from the journal or with a
	// snapshot.
	Fetches []Fetch

	// Snapshot, unless zero, names a peer whose log no longer reaches back to this replica's frontier: its snapshot
	// is needed.
	Snapshot wire.ReplicaID

	// Accusations say what peers have done that no replica does. They are for people: this replica goes on without
	// having believed it.
	Accusations []Accusation
}

// Fetch is a peer's request for chosen slots that are no longer in memory, to be answered with what the journal has of
// [From, Through]. What lies behind is still in memory, because the journal may have nothing of it yet but an older
// acceptance, of a value that was not chosen.
type Fetch struct {
	Peer          wire.ReplicaID
	From, Through wire.Slot
	MaxBytes      int
}

// Core is the protocol state of one replica.
//
// Invariants, checked where it is cheap:
//  1. promised never decreases, and no ballot below it is accepted.
//  2. For one (ballot, slot) there is one value; a leader uses a slot once.
//  3. commit never decreases, and every slot at or below it is chosen and either in the log, trimmed or covered by a snapshot.
//  4. Nothing is answered before the record that the answer speaks of is durable.
type Core struct {
	cfg  Config
	now  time.Duration
	rng  uint64
	role Role

	// Acceptor. promised is durable before anything is answered for it.
	promised wire.Ballot
	log      slotLog
	pinned   wire.Slot // slots above it are kept for a peer
	forgot   bool

	// Learner. known is the frontier that the leader of knownBallot has told; target is the highest that anybody has.
	commit      wire.Slot
	known       wire.Slot
	knownBallot wire.Ballot
	target      wire.Slot
	targetFrom  wire.ReplicaID
	fetching    fetching

	// Election.
	leader         wire.ReplicaID
	leaderBallot   wire.Ballot
	leaderHeard    time.Duration
	maxSeen        wire.Ballot // highest ballot heard of
	faulty         wire.Ballot // whose leader has contradicted itself, or what is chosen: it is not followed (see suspicion.go)
	deadline       time.Duration
	insisting      time.Duration                       // until when votes are asked for again and again; 0: not
	goneAt         [wire.MaxReplicas + 1]time.Duration // when a replica was said to be gone, 0: never
	candidate      wire.ReplicaID                      // that has been promised last, 0 once there is a leader
	candidateHeard time.Duration
	preVotes       pipeline.VoteSet
	preVoteBallot  wire.Ballot

	// What Election tells.
	preVotesRefused pipeline.VoteSet
	rejections      pipeline.VoteSet
	heardOf         [wire.MaxReplicas + 1]time.Duration
	saidNonVoting   [wire.MaxReplicas + 1]time.Duration

	// Proposer.
	ballot      wire.Ballot
	phase1      phase1
	promising   [wire.MaxReplicas + 1]Flow // by acceptor: the way of its promises
	backlog     map[wire.Slot]Entry        // adopted, to be proposed again
	window      *pipeline.Window
	rounds      rounds
	heard       [wire.MaxReplicas + 1]time.Duration // last answer to this leader, by replica
	replied     [wire.MaxReplicas + 1]bool          // whether there has been one, a promise included
	rejoins     [wire.MaxReplicas + 1]rejoin
	sending     [wire.MaxReplicas + 1]sending // by acceptor
	firstOfTerm wire.Slot                     // of the no-op that follows the backlog

	// Reads without the log (see reads.go).
	roundWanted  bool          // reads wait for a round that has not begun
	confirmed    uint64        // newest round that a quorum has answered, or a later one
	leaseBegan   time.Duration // when that round began; 0: none
	leaseGranted time.Duration // until then no other ballot is promised

	rejoining rejoining
	suspicion suspicion

	// Durability: records are numbered, and what waits for one stands in a queue in their order.
	appended   uint64
	persisted  uint64
	recorded   wire.Slot     // commit index that the newest record carries, and
	recordedAt time.Duration // when that was made
	waiting    []waiting
	stalled    time.Duration // when the oldest record that is not durable was appended

	out   Ready
	spare Ready
	stats Stats
}

// Stats counts what the protocol did, since the start of the core.
type Stats struct {
	Elections     uint64 `json:"elections"`   // candidacies of this replica
	Leaderships   uint64 `json:"leaderships"` // elections won
	StepDowns     uint64 `json:"step_downs"`
	LeaderChanges uint64 `json:"leader_changes"` // times another leader was followed
	Rejected      uint64 `json:"rejected"`       // Prepares and Accepts below the promise
	Ignored       uint64 `json:"ignored"`        // messages that came too late, twice or too early
	Implausible   uint64 `json:"implausible"`    // messages with a ballot that no replica can have come to
	Contradicted  uint64 `json:"contradicted"`   // messages of leaders that contradict themselves, or what is chosen
	Resent        uint64 `json:"resent"`         // Accepts sent again
	Fetched       uint64 `json:"fetched"`        // slots learnt from peers
	NoOps         uint64 `json:"no_ops"`         // holes filled
	ReadRounds    uint64 `json:"read_rounds"`    // leadership rounds begun because reads waited
}

// New returns the core of a replica that has never run. For one that has, call Restore for each journal record, in
// order, before anything else. The configuration must be valid.
func New(cfg Config, now time.Duration) *Core {
	if err := cfg.Validate(); err != nil {
		panic("BUG: " + err.Error())
	}
	cfg.Limits = cfg.Limits.withDefaults()
	c := &Core{
		cfg:       cfg,
		now:       now,
		rng:       cfg.Seed*0x9e3779b97f4a7c15 + uint64(cfg.Self),
		log:       newSlotLog(cfg.Buffers),
		pinned:    NoPin,
		suspicion: suspicion{steps: maxRoundStep},
		fetching:  newFetching(&cfg), sending: newSending(&cfg), promising: newPromising(&cfg),
		window: pipeline.New(pipeline.Config{Depth: cfg.Depth, MaxBytes: cfg.WindowBytes, Quorum: cfg.Quorum2}),
	}
	c.resetDeadline()
	c.grantLease() // what an earlier life has granted is forgotten
	return c
}

// Forget says that this replica may have promised or accepted what it no longer remembers: it learns, but does not vote
// until the leader has told it up to where it may have voted and it has caught up so far (see rejoin.go). It is called
// before the first Tick.
func (c *Core) Forget() { c.forgot = true }

// handlers says which message is handled where; messages that are not in it concern the driver, not the protocol.
var handlers = [64]func(*Core, *wire.Message){
	wire.TypePreVote:        (*Core).onPreVote,
	wire.TypePreVoteReply:   (*Core).onPreVoteReply,
	wire.TypePrepare:        (*Core).onPrepare,
	wire.TypePromise:        (*Core).onPromise,
	wire.TypeAccept:         (*Core).onAccept,
	wire.TypeAccepted:       (*Core).onAccepted,
	wire.TypeReject:         (*Core).onReject,
	wire.TypeHeartbeat:      (*Core).onHeartbeat,
	wire.TypeHeartbeatReply: (*Core).onHeartbeatReply,
	wire.TypeFetch:          (*Core).onFetch,
	wire.TypeEntries:        (*Core).onEntries,
	wire.TypeRejoin:         (*Core).onRejoin,
	wire.TypeRejoinReply:    (*Core).onRejoinReply,
}

// Step takes a message from another replica; m.From must be set. The core owns m.Body from here on.
func (c *Core) Step(now time.Duration, m *wire.Message) {
	c.now = now
	if handler := handlers[m.Type]; handler != nil && c.isPeer(m.From) {
		if c.plausible(m) {
			c.heardOf[m.From] = now
			handler(c, m)
		}
	}
	c.cfg.Buffers.Put(m.Body) // an acceptor that kept the body has set it to nil
}

// Tick tells the core the time. It must be called several times per heartbeat.
func (c *Core) Tick(now time.Duration) {
	c.now = now
	switch {
	case c.forgot:
		c.tickRejoin()
	case c.role == Leader:
		c.tickLeader()
	default:
		c.tickElection()
	}
	c.tickFetch()
	c.tickCommit()
}

// Propose gives the batch the next slot and sends it to the acceptors. The body belongs to the log from here on. It
// must only be called while CanPropose.
func (c *Core) Propose(now time.Duration, commands int, e Entry) wire.Slot {
	c.now = now
	if !c.CanPropose(now, true) {
		panic(fmt.Sprintf("BUG: replica %d proposes as %v without room", c.cfg.Self, c.role))
	}
	slot := c.window.Open(len(e.Body), commands, now)
	c.propose(slot, e)
	return slot
}

// CanPropose reports whether this replica leads and may open one more slot at now, for a batch that is full or one that may
// still grow: that one waits for its turn (see pipeline.Window.Paced).
func (c *Core) CanPropose(now time.Duration, full bool) bool {
	if c.role != Leader || c.window.Next() <= c.firstOfTerm {
		return false
	}
	if full {
		return c.window.HasRoomForFull()
	}
	return c.window.HasRoom() && !c.window.Paced(now)
}

// Persisted tells the core that the first n records are durable.
func (c *Core) Persisted(now time.Duration, n uint64) {
	if n < c.persisted || n > c.appended {
		panic(fmt.Sprintf("BUG: %d records durable after %d, %d appended", n, c.persisted, c.appended))
	}
	c.now = now
	c.persisted = n
	c.stalled = now
	c.releaseWaiting()
}

// Ready returns what has to be done now.
func (c *Core) Ready() *Ready {
	if c.role == Leader {
		c.advanceLeader()
		c.startWantedRound()
	}
	c.log.recycle() // what the Ready before speaks of has been carried out
	done := c.out
	c.out = Ready{Records: c.spare.Records[:0], Messages: c.spare.Messages[:0], Fetches: c.spare.Fetches[:0], Accusations: c.spare.Accusations[:0]}
	c.spare = done
	return &c.spare
}

// Commit returns the commit frontier: every slot up to it is chosen.
func (c *Core) Commit() wire.Slot { return c.commit }

// Entry returns the chosen entry of a slot that is at or below the frontier and has not been trimmed.
func (c *Core) Entry(s wire.Slot) *Entry {
	e := c.log.get(s)
	if e == nil || s > c.commit {
		panic(fmt.Sprintf("BUG: slot %d read, log holds %d to %d, commit %d", s, c.log.first, c.log.next, c.commit))
	}
	return e
}

// NoPin is what Pin takes to end what it began: no slot is above it.
const NoPin = ^wire.Slot(0)

// Pin keeps the slots above s in memory, for a peer that is going to ask for them and can get them nowhere else: up to
// Config.PinBytes, beyond which they are trimmed like all others. There is one pin; the newest call counts.
func (c *Core) Pin(s wire.Slot) { c.pinned = s }

// Trim lets go of slots that have been applied, as far as the log exceeds its bounds.
func (c *Core) Trim(applied wire.Slot) {
	applied = min(applied, c.commit)
	c.log.trim(min(applied, c.pinned), c.cfg.LogBytes)
	c.log.trim(applied, c.maxLogBytes())
}

// maxLogBytes is what the log may cost after Trim, if everything is applied.
func (c *Core) maxLogBytes() int {
	if c.pinned == NoPin {
		return c.cfg.LogBytes
	}
	return max(c.cfg.LogBytes, c.cfg.PinBytes)
}

// Role returns the replica's role. A replica that may not vote is a follower.
func (c *Core) Role() Role { return c.role }

// Voting reports whether the replica may vote (see rejoin.go).
func (c *Core) Voting() bool { return !c.forgot }

// Leader returns the leader this replica follows or is, 0 if it knows none.
func (c *Core) Leader() wire.ReplicaID { return c.leader }

// Ballot returns the highest ballot promised or followed.
func (c *Core) Ballot() wire.Ballot { return max(c.promised, c.leaderBallot) }

// Proposed returns the highest slot that this leader has proposed, will propose before anything new, or knew chosen when it
// became the leader.
func (c *Core) Proposed() wire.Slot { return c.lastOpen() }

// InFlight returns the slots and bytes open under this replica's leadership.
func (c *Core) InFlight() (slots, bytes int) {
	if c.role != Leader {
		return 0, 0
	}
	return c.window.InFlight()
}

// Ahead returns how many slots lie above the commit frontier.
func (c *Core) Ahead() int { return int(max(c.log.next, c.commit+1) - 1 - c.commit) }

// Depth returns the depth that the window has now, in slots.
func (c *Core) Depth() int { return c.window.Depth() }

// FirstSlot returns the oldest slot held in memory.
func (c *Core) FirstSlot() wire.Slot { return c.log.first }

// Known returns the highest frontier heard of, which may be ahead of Commit.
func (c *Core) Known() wire.Slot { return max(c.target, c.commit) }

// Stats returns the counters.
func (c *Core) Stats() Stats { return c.stats }

func (c *Core) isPeer(id wire.ReplicaID) bool {
	for _, r := range c.cfg.Replicas {
		if r == id {
			return id != c.cfg.Self
		}
	}
	return false
}

func (c *Core) sendTo(id wire.ReplicaID, m wire.Message) {
	m.From, m.To = c.cfg.Self, id
	c.out.Messages = append(c.out.Messages, m)
}

func (c *Core) broadcast(m wire.Message) {
	for _, id := range c.cfg.Replicas {
		if id != c.cfg.Self {
			c.sendTo(id, m)
		}
	}
}

// persist appends a record, which carries the commit index (see restore.go), and returns its number.
func (c *Core) persist(r wire.Record) uint64 {
	r.Commit = c.commit
	c.recorded, c.recordedAt = c.commit, c.now
	if c.appended == c.persisted {
		c.stalled = c.now
	}
	c.appended++
	c.out.Records = append(c.out.Records, r)
	return c.appended
}

// random returns a number in [0, n), by splitmix64 (Steele, Lea and Flood, 2014).
func (c *Core) random(n time.Duration) time.Duration {
	c.rng += 0x9e3779b97f4a7c15
	z := c.rng
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return time.Duration((z ^ z>>31) % uint64(n))
}
