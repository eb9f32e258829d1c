package main

// mutant is one deliberate bug: in a file, one piece of text is replaced by another.
type mutant struct {
	name string
	rule string // what it breaks
	file string
	old  string
	new  string
	from uint64 // seed to begin with instead of the first: the one that found the bug, where finding it is rare
}

// mutants are bugs that implementations of Paxos have had, or could have. Where the text of the sources changes, the
// list has to follow: a test says so.
var mutants = []mutant{
	{"vote-of-any-ballot", "votes count for the exact ballot", "replica/paxos/proposer.go",
		"if c.role != Leader || m.Ballot != c.ballot {\n\t\tc.stats.Ignored++\n\t\treturn\n\t}\n\tc.heard[m.From] = c.now\n\tc.vote(m.From, m.Ballot,",
		"if c.role != Leader {\n\t\tc.stats.Ignored++\n\t\treturn\n\t}\n\tc.heard[m.From] = c.now\n\tc.vote(m.From, c.ballot,", 0},
	{"vote-before-sync", "nothing is acknowledged before it is durable", "replica/paxos/acceptor.go",
		"record: record, kind: RecordAccept, ballot: b, slot: s})", "record: min(record, 0), kind: RecordAccept, ballot: b, slot: s})", 0},
	{"promise-before-sync", "a promise is durable before it is given", "replica/paxos/acceptor.go",
		"waiting{record: c.appended, kind: RecordPromise, ballot: m.Ballot}", "waiting{record: 0, kind: RecordPromise, ballot: m.Ballot}", 0},
	{"promise-not-recovered", "a restart knows what was promised", "replica/paxos/learner.go",
		"c.promised = max(c.promised, r.Ballot)\n\t\tc.maxSeen = max(c.maxSeen, r.Ballot)", "_ = r.Ballot", 0},
	{"accept-below-promise", "no ballot below the promised one is accepted", "replica/paxos/acceptor.go",
		"if m.Ballot.Replica() != m.From || m.Ballot < c.promised {\n\t\tc.refuse(m)\n\t\treturn\n\t}\n\tc.follow(m.From, m.Ballot)\n\tswitch",
		"if m.Ballot.Replica() != m.From {\n\t\tc.refuse(m)\n\t\treturn\n\t}\n\tc.follow(m.From, m.Ballot)\n\tswitch", 0},
	{"promise-below-promise", "a lower ballot is not promised", "replica/paxos/acceptor.go",
		"if m.Ballot.Replica() != m.From || m.Ballot < c.promised {\n\t\tc.refuse(m)\n\t\treturn\n\t}\n\tif m.Ballot > c.promised {",
		"if m.Ballot.Replica() != m.From {\n\t\tc.refuse(m)\n\t\treturn\n\t}\n\tif m.Ballot != c.promised {", 0},
	{"adopt-lowest-ballot", "phase 1 adopts the value of the highest ballot", "replica/paxos/proposer.go",
		"e != nil && e.Ballot >= entry.Ballot", "e != nil && e.Ballot <= entry.Ballot", 0},
	{"adopt-nothing", "phase 1 adopts what may have been chosen", "replica/paxos/proposer.go",
		"if entry.Slot < adopted.first {", "if entry.Slot >= 0 {", 0},
	{"forget-own-acceptances", "the candidate is an acceptor too", "replica/paxos/proposer.go",
		"if e := c.log.get(s); e != nil {\n\t\t\tc.adopt(", "if e := c.log.get(s); e == nil {\n\t\t\tc.adopt(", 0},
	{"promise-without-suffix", "a promise reports what was accepted", "replica/paxos/acceptor.go",
		"body, next := c.appendEntries(first, c.log.next-1, maxFetchBytes)\n\t\tm := wire", "body, next := c.appendEntries(c.log.next, c.log.next-1, maxFetchBytes)\n\t\tm := wire", 0},
	{"frontier-ignored-in-phase-1", "chosen slots are learnt before leading", "replica/paxos/proposer.go",
		"c.phase1.promises.Len() < c.cfg.Quorum1 || c.commit < c.phase1.frontier", "c.phase1.promises.Len() < c.cfg.Quorum1", 0},
	{"phase-1-without-quorum", "phase 1 needs its quorum", "replica/paxos/proposer.go",
		"c.phase1.promises.Len() < c.cfg.Quorum1 ||", "c.phase1.promises.Len() < c.cfg.Quorum1-1 ||", 0},
	{"phase-2-without-quorum", "phase 2 needs its quorum", "pipeline/window.go",
		"f.votes.Len() < w.cfg.Quorum", "f.votes.Len() < w.cfg.Quorum-1", 0},
	{"ballot-reused", "a ballot has one owner and one use", "replica/paxos/election.go",
		"c.startPhase1(max(c.promised, c.maxSeen).Next(c.cfg.Self))", "c.startPhase1(max(c.leaderBallot, wire.Ballot(0)).Next(c.cfg.Self))", 0},
	{"commit-without-ballot", "a frontier is believed only for what its leader proposed", "replica/paxos/learner.go",
		"e == nil || e.Ballot != c.knownBallot", "e == nil", 0},
	{"restore-commits-any-ballot", "so it is on a restart", "replica/paxos/learner.go",
		"if e == nil || e.Ballot != r.Ballot {\n\t\t\treturn", "if e == nil {\n\t\t\treturn", 0},
	{"rejoin-at-once", "who has forgotten does not vote", "replica/paxos/core.go",
		"func (c *Core) Forget() { c.forgot = true }", "func (c *Core) Forget() {}", 0},
	{"rejoin-without-catching-up", "who has forgotten catches up first", "replica/paxos/rejoin.go",
		"if c.commit < c.rejoining.target {", "if c.commit < 0 {", 0},
	{"skip-in-session", "a session's commands are executed without a gap", "replica/machine/run.go",
		"case run.First-1 > client.last:", "case run.First-1 > client.last+1<<40:", 0},
	{"execute-twice", "a command is executed once", "replica/machine/run.go",
		"if n := part.upTo(client.last); n > 0 {", "if n := part.upTo(client.last); n > 1<<30 {", 0},
	{"snapshot-one-slot-ahead", "a snapshot's frontier is that of its state", "replica/machine/restore.go",
		"s.applied = wire.Slot(binary.LittleEndian.Uint64(v))", "s.applied = wire.Slot(binary.LittleEndian.Uint64(v)) + 1", 0},
	{"cut-above-snapshot", "the journal is cut only where a durable snapshot stands for it", "replica/node/snapshots.go",
		"return max(n.snapshots.before, min(n.snapshots.newest.Slot, n.snapshots.pinned))", "return n.state.Applied()", 0},
	{"recovered-not-synced", "what a restart relies on is durable", "replica/journal/recover.go",
		"return r.window.file.Sync()", "return nil", 0},
	{"fetch-from-stale-journal", "what a peer is told to be chosen is what was chosen", "replica/paxos/learner.go",
		"Through: c.log.first - 1", "Through: c.commit", 1032903780630},
	{"sync-error-ignored", "a failed sync is final", "replica/journal/writer.go",
		"return w.file.Sync()", "_ = w.file.Sync()\n\treturn nil", 0},
	{"torn-body-believed", "a torn record is cut off", "replica/journal/recover.go",
		"if wire.Checksum(rec.Body) != rec.BodyCRC {\n\t\treturn 0, nil\n\t}", "", 0},
	{"no-resend", "lost Accepts come again (liveness)", "replica/paxos/election.go",
		"if m.Last < c.round.last {", "if m.Last > c.round.last {", 0},
	{"no-catch-up-retry", "another peer is asked in the end (liveness)", "replica/paxos/learner.go",
		"c.fetching == 0 || c.now < c.fetchedAt+c.fetchPatience()", "c.fetching == 0 || c.now > 0", 0},
	{"holes-left-open", "holes are filled (liveness)", "replica/paxos/proposer.go",
		"for s := c.commit + 1; s < adopted.next; s++ {\n\t\tc.reopen(s, adopted.get(s))\n\t}", "for s := c.commit + 1; s < adopted.next && adopted.get(s) != nil; s++ {\n\t\tc.reopen(s, adopted.get(s))\n\t}", 0},
}
