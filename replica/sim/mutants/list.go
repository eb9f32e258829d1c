package main

// mutant is one deliberate bug: in a file, one piece of text is replaced by another.
type mutant struct {
	name string
	rule string // what it breaks
	file string
	old  string
	new  string
}

// mutants are bugs that implementations of Paxos have had, or could have. Where the text of the sources changes, the
// list has to follow: a test says so.
//
// Two that suggest themselves in answerRejoins (replica/paxos/rejoin.go) are not in the list. One drops the condition that
// enough of those who have answered are voters: if all have answered, they are, unless so many have forgotten that what
// was acknowledged may be gone, which is not drawn. The other counts the replica that rejoins among the voters that have
// answered; no execution can show it. Proof. What answerRejoins sends is taken only by the life that made up the nonce,
// and only while that life has forgotten. The round that is looked at began when the request with that nonce had arrived,
// so after that life had sent it. A life forgets once, before it begins, and as long as it has forgotten it answers no
// heartbeat as a voter. So the only such answer to such a round that the replica can have given is one by this very life
// after it had voted again, and then it takes no further answer to a request.
var mutants = []mutant{
	{"vote-of-any-ballot", "votes count for the exact ballot", "replica/paxos/proposer.go",
		"if c.role != Leader || m.Ballot != c.ballot {\n\t\tc.stats.Ignored++\n\t\treturn\n\t}\n\tc.heard[m.From] = c.now\n\tc.vote(m.From, m.Ballot,",
		"if c.role != Leader {\n\t\tc.stats.Ignored++\n\t\treturn\n\t}\n\tc.heard[m.From] = c.now\n\tc.vote(m.From, c.ballot,"},
	{"vote-before-sync", "nothing is acknowledged before it is durable", "replica/paxos/acceptor.go",
		"record: record, kind: wire.RecordAccept, ballot: b, slot: s})", "record: min(record, 0), kind: wire.RecordAccept, ballot: b, slot: s})"},
	{"promise-before-sync", "a promise is durable before it is given", "replica/paxos/acceptor.go",
		"waiting{record: c.appended, kind: wire.RecordPromise, ballot: m.Ballot}", "waiting{record: 0, kind: wire.RecordPromise, ballot: m.Ballot}"},
	{"promise-not-recovered", "a restart knows what was promised", "replica/paxos/learner.go",
		"c.promised = max(c.promised, r.Ballot)\n\t\tc.maxSeen = max(c.maxSeen, r.Ballot)", "_ = r.Ballot"},
	{"accept-below-promise", "no ballot below the promised one is accepted", "replica/paxos/acceptor.go",
		"if m.Ballot.Replica() != m.From || m.Ballot < c.promised {\n\t\tc.reject(m)\n\t\treturn\n\t}\n\tc.follow(m.From, m.Ballot)\n\tswitch",
		"if m.Ballot.Replica() != m.From {\n\t\tc.reject(m)\n\t\treturn\n\t}\n\tc.follow(m.From, m.Ballot)\n\tswitch"},
	{"promise-below-promise", "a lower ballot is not promised", "replica/paxos/acceptor.go",
		"if m.Ballot.Replica() != m.From || m.Ballot < c.promised {\n\t\tc.reject(m)\n\t\treturn\n\t}\n\tif m.Ballot > c.promised {",
		"if m.Ballot.Replica() != m.From {\n\t\tc.reject(m)\n\t\treturn\n\t}\n\tif m.Ballot != c.promised {"},
	{"adopt-lowest-ballot", "phase 1 adopts the value of the highest ballot", "replica/paxos/proposer.go",
		"e != nil && e.Ballot >= entry.Ballot", "e != nil && e.Ballot <= entry.Ballot"},
	{"adopt-nothing", "phase 1 adopts what may have been chosen", "replica/paxos/proposer.go",
		"if entry.Slot < adopted.first {", "if entry.Slot >= 0 {"},
	{"forget-own-acceptances", "the candidate is an acceptor too", "replica/paxos/proposer.go",
		"if e := c.log.get(s); e != nil {\n\t\t\tc.adopt(", "if e := c.log.get(s); e == nil {\n\t\t\tc.adopt("},
	{"promise-without-suffix", "a promise reports what was accepted", "replica/paxos/acceptor.go",
		"body, next := c.appendEntries(first, c.log.next-1, c.cfg.Limits.PromiseBytes)\n\t\tmore", "body, next := c.appendEntries(c.log.next, c.log.next-1, c.cfg.Limits.PromiseBytes)\n\t\tmore"},
	{"frontier-ignored-in-phase-1", "chosen slots are learnt before leading", "replica/paxos/proposer.go",
		"c.phase1.promises.Len() < c.cfg.Quorum1 || c.commit < c.phase1.frontier", "c.phase1.promises.Len() < c.cfg.Quorum1"},
	{"phase-1-without-quorum", "phase 1 needs its quorum", "replica/paxos/proposer.go",
		"c.phase1.promises.Len() < c.cfg.Quorum1 ||", "c.phase1.promises.Len() < c.cfg.Quorum1-1 ||"},
	{"phase-2-without-quorum", "phase 2 needs its quorum", "pipeline/window.go",
		"f.votes.Len() < w.cfg.Quorum", "f.votes.Len() < w.cfg.Quorum-1"},
	{"ballot-reused", "a ballot has one owner and one use", "replica/paxos/election.go",
		"c.startPhase1(max(c.promised, c.maxSeen).Next(c.cfg.Self))", "c.startPhase1(max(c.leaderBallot, wire.Ballot(0)).Next(c.cfg.Self))"},
	{"commit-without-ballot", "a frontier is believed only for what its leader proposed", "replica/paxos/learner.go",
		"e == nil || e.Ballot != c.knownBallot", "e == nil"},
	{"restore-commits-any-ballot", "so it is on a restart", "replica/paxos/learner.go",
		"if e == nil || e.Ballot != r.Ballot {\n\t\t\treturn", "if e == nil {\n\t\t\treturn"},
	{"rejoin-at-once", "who has forgotten does not vote", "replica/paxos/core.go",
		"func (c *Core) Forget() { c.forgot = true }", "func (c *Core) Forget() {}"},
	{"rejoin-without-catching-up", "who has forgotten catches up first", "replica/paxos/rejoin.go",
		"if c.commit < c.rejoining.target {", "if c.commit < 0 {"},
	{"rejoin-unconfirmed", "the leader has to be one after the request", "replica/paxos/rejoin.go",
		"c.round.number < r.round", "c.round.number < 0*r.round"},
	{"rejoin-without-candidates", "and for all that could be a rival", "replica/paxos/rejoin.go",
		"everybody.Len() < len(c.cfg.Replicas)-1", "everybody.Len() < 1"},
	{"rejoiner-stands-for-another", "the replica itself is none of them", "replica/paxos/rejoin.go",
		"c.round.forgot&^pipeline.VoteSet(1<<(id-1))", "c.round.forgot"},
	{"rejoin-without-promise", "who votes again has promised the leader's ballot", "replica/paxos/rejoin.go",
		"c.promise(max(c.promised, c.rejoining.ballot))", "c.promise(c.promised)"},
	{"rejoin-stale-nonce", "what an earlier life was told is not for this one", "replica/paxos/rejoin.go",
		"!c.forgot || m.Nonce() != r.nonce || r.ballot != 0", "!c.forgot || r.ballot != 0"},
	{"rejoin-before-durable", "a voter for the journal is one that still knows after a crash what it needs to know", "replica/storage/voter.go",
		"return v.amnesiac && v.voting && durable >= v.needed", "return v.amnesiac && v.voting"},
	{"skip-in-session", "a session's commands are executed without a gap", "replica/machine/run.go",
		"case part.first-1 > client.last:", "case part.first-1 > client.last+1<<40:"},
	{"execute-twice", "a command is executed once", "replica/machine/run.go",
		"if n := part.upTo(client.last); n > 0 {", "if n := part.upTo(client.last); n > 1<<30 {"},
	{"snapshot-one-slot-ahead", "a snapshot's frontier is that of its state", "replica/machine/restore.go",
		"s.applied = wire.Slot(binary.LittleEndian.Uint64(v))", "s.applied = wire.Slot(binary.LittleEndian.Uint64(v)) + 1"},
	{"outcomes-not-in-snapshot", "what a session remembers is part of the state", "replica/machine/restore.go",
		"s.setOutcome(seen+1+wire.Seq(i), outcome)", "_ = outcome\n\t\ts.setOutcome(seen+1+wire.Seq(i), 0)"},
	{"cut-above-snapshot", "the journal is cut only where a durable snapshot stands for it", "replica/node/snapshots.go",
		"return max(n.snapshots.before, min(n.snapshots.newest.Slot, n.snapshots.pinned))", "return n.state.Applied()"},
	{"recovered-not-synced", "what a restart relies on is durable", "replica/journal/recover.go",
		"return r.window.file.Sync()", "return nil"},
	{"fetch-from-stale-journal", "what a peer is told to be chosen is what was chosen", "replica/paxos/fetch.go",
		"Through: min(last, c.log.first-1)", "Through: last"},
	{"sync-error-ignored", "a failed sync is final", "replica/journal/writer.go",
		"return w.file.Sync()", "_ = w.file.Sync()\n\treturn nil"},
	{"torn-body-believed", "a torn record is cut off", "replica/journal/recover.go",
		"if wire.Checksum(rec.Body) != rec.BodyCRC {\n\t\treturn 0, nil\n\t}", ""},
	{"disk-stall-ignored", "a leader whose disk hangs gives way (liveness)", "replica/paxos/election.go",
		"return c.persisted < c.appended && c.now > c.stalled+d", "return c.persisted < c.appended && c.now > c.stalled+d && d < 0"},
	{"never-steps-down", "a leader without a quorum gives way (liveness)", "replica/paxos/election.go",
		"c.diskStalled(c.cfg.ElectionTimeout) || !c.quorumHeard()", "c.diskStalled(c.cfg.ElectionTimeout) && !c.quorumHeard()"},
	{"no-resend", "lost Accepts come again (liveness)", "replica/paxos/election.go",
		"if m.Received() < c.round.proposed {", "if m.Received() > c.round.proposed {"},
	{"no-catch-up-retry", "another peer is asked in the end (liveness)", "replica/paxos/fetch.go",
		"f.peer != 0 && c.now < f.heard+f.flows[f.peer].Patience()", "f.peer != 0 && c.now > 0"},
	{"holes-left-open", "holes are filled (liveness)", "replica/paxos/proposer.go",
		"for s := c.commit + 1; s < adopted.next; s++ {\n\t\tc.reopen(s, adopted.get(s))\n\t}", "for s := c.commit + 1; s < adopted.next && adopted.get(s) != nil; s++ {\n\t\tc.reopen(s, adopted.get(s))\n\t}"},
}
