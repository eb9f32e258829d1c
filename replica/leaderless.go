package replica

import (
	"fmt"
	"strings"
	"time"

	"paxosbench/replica/paxos"
	"paxosbench/wire"
)

// Why there is no leader is said in the log once that lasts, and then again at this interval.
const (
	whyEvery = 10 * time.Second
	whyAgain = time.Second // if it has changed
)

// leaderless is what a loop notes for the case that there is no leader.
//
// Where one of the quorums is small, a replica can win an election and then find too few that follow it. It gives up after
// an election timeout, and so on: there is a leader most of the time, and none that works. So a leader counts from the
// moment when something is chosen in its term, or when that has lasted for as long as one that does not work cannot.
type leaderless struct {
	since    time.Duration // when there was one last
	said     time.Duration // when the reason was logged last, 0: not
	saidWhat string
	away     [wire.MaxReplicas + 1]time.Duration // when a peer was last seen not to be connected

	ballot wire.Ballot   // of the term
	began  time.Duration // the term
	commit wire.Slot     // then
	works  bool          // this term's leader
}

// Peer is another replica as this one sees it.
type Peer struct {
	ID        wire.ReplicaID `json:"id"`
	Addr      string         `json:"addr"`
	Connected bool           `json:"connected"`         // by both lanes
	Control   bool           `json:"control"`           // the lane of heartbeats, elections and acknowledgements
	Bulk      bool           `json:"bulk"`              // the lane of batches, entries and snapshots
	Ups       uint64         `json:"ups"`               // how often it has been connected
	NonVoting bool           `json:"non_voting"`        // it has said so lately
	Silent    bool           `json:"silent"`            // it is connected, there is no leader, and it says nothing about that
	PreVote   string         `json:"pre_vote"`          // how it has answered the last question whether it would vote for this one: granted, refused, empty
	Problem   string         `json:"problem,omitempty"` // how the last connection, or attempt at one, ended
}

// peers returns what is known about the others.
func (l *loop) peers() []Peer {
	var peers []Peer
	election := l.node.Core().Election()
	for _, s := range l.transport.PeerStates() {
		if !s.Up {
			l.why.away[s.ID] = l.transport.Now()
		}
		peers = append(peers, Peer{
			ID: s.ID, Addr: s.Addr, Connected: s.Up, Control: s.Control, Bulk: s.Bulk, Ups: s.Ups, Problem: s.Problem,
			NonVoting: s.Up && election.NonVoting.Has(s.ID), Silent: s.Up && l.isSilent(s.ID, &election), PreVote: preVote(s.ID, &election),
		})
	}
	return peers
}

// isSilent reports whether a peer that is connected has said nothing for longer than one that votes can: without a leader
// it asks for votes, and answers who does. It hangs, or waits for what nobody can tell it.
func (l *loop) isSilent(id wire.ReplicaID, e *paxos.Election) bool {
	return !l.why.works && l.transport.Now()-max(e.Heard[id], l.why.away[id], l.why.since) > 2*l.electionTakes()
}

// preVote says how a peer has answered this replica's last question for a vote.
func preVote(id wire.ReplicaID, e *paxos.Election) string {
	switch {
	case e.PreVotes.Has(id):
		return "granted"
	case e.PreVotesRefused.Has(id):
		return "refused"
	default:
		return ""
	}
}

// voters counts the replicas within reach that vote, this one included.
func (l *loop) voters() int {
	n := 0
	if l.node.Core().Voting() {
		n++
	}
	for _, p := range l.peers() {
		if p.Connected && !p.NonVoting && !p.Silent {
			n++
		}
	}
	return n
}

// tickLeaderless logs why there is no leader, once there has been none for as long as an election takes.
func (l *loop) tickLeaderless(now time.Duration) {
	w := &l.why
	l.noteTerm(now)
	if w.works {
		w.since, w.said = now, 0
		return
	}
	if now-w.since < l.electionTakes() || w.said > 0 && now-w.said < whyAgain {
		return
	}
	verdict := l.verdict(l.peers())
	if w.said > 0 && verdict == w.saidWhat && now-w.said < whyEvery {
		return
	}
	w.said, w.saidWhat = now, verdict
	l.log.Warn("no leader", "for", l.leaderless().Round(time.Millisecond), "why", l.whyNoLeader())
}

// noteTerm notes whether the leader of the present term works.
func (l *loop) noteTerm(now time.Duration) {
	w, core := &l.why, l.node.Core()
	if l.leader() == 0 {
		w.works, w.ballot = false, 0
		return
	}
	if core.Ballot() != w.ballot {
		w.ballot, w.began, w.commit, w.works = core.Ballot(), now, core.Commit(), false
	}
	inFlight, _ := core.InFlight() // a leader begins with a no-op
	chosen := core.Commit() > w.commit || core.Role() == paxos.Leader && inFlight == 0
	if core.Role() != paxos.Leader {
		now = core.Election().LeaderHeard // one that has given up is silent until it leads again
	}
	w.works = w.works || l.cfg.Unreplicated || chosen || now-w.began >= l.electionTakes()
}

// electionTakes returns how long there may be no leader without anything being wrong.
func (l *loop) electionTakes() time.Duration { return 2 * l.cfg.ElectionTimeout }

// hasLeader reports whether there is a leader, as far as can be seen from here: another one is believed at first.
func (l *loop) hasLeader() bool {
	other := l.leader() != 0 && l.leader() != l.cfg.ID
	return l.why.works || other && l.transport.Now()-l.why.since < l.electionTakes()
}

// leaderless returns for how long there has been no leader.
func (l *loop) leaderless() time.Duration {
	if l.hasLeader() {
		return 0
	}
	return l.transport.Now() - l.why.since
}

// whyNoLeader says why there is no leader; nothing if there is one.
func (l *loop) whyNoLeader() string {
	if l.hasLeader() {
		return ""
	}
	peers := l.peers()
	states := []string{l.ownState()}
	if l.storage.Cluster() == 0 {
		states = append(states, "it does not know the cluster's id: a member with data tells it, or, if all are new, all of them draw one with --bootstrap")
	}
	for _, p := range peers {
		states = append(states, p.state())
	}
	return l.verdict(peers) + ": " + strings.Join(states, "; ")
}

func (l *loop) verdict(peers []Peer) string {
	var nonVoting, away int
	for _, p := range peers {
		switch {
		case p.NonVoting:
			nonVoting++
		case !p.Connected, p.Silent:
			away++
		}
	}
	if !l.node.Core().Voting() {
		nonVoting++
	}
	return verdict(len(peers)+1, max(l.cfg.quorum1(), l.cfg.quorum2()), nonVoting, away)
}

// verdict says what stands against a leader, among n replicas of which some do not vote and some are out of reach. quorum is
// what it takes for both phases.
func verdict(n, quorum, nonVoting, away int) string {
	voters := n - nonVoting - away
	switch {
	case n-nonVoting < quorum:
		return fmt.Sprintf("there can be no leader: that takes %d of %d replicas, and %d do not vote because they have lost what they voted; give them their data back, or start %d of them, and no more, with --accept-loss, which may lose what was acknowledged",
			quorum, n, nonVoting, quorum-(n-nonVoting))
	case voters < quorum:
		return fmt.Sprintf("there can be no leader now: that takes %d of %d replicas, %d are within reach and vote", quorum, n, voters)
	default:
		return fmt.Sprintf("an election is under way: that takes %d of %d replicas, %d are within reach and vote", quorum, n, voters)
	}
}

// ownState says what this replica can do about it.
func (l *loop) ownState() string {
	core := l.node.Core()
	switch {
	case !core.Voting():
		return fmt.Sprintf("this replica has not voted since it started %v ago, and does not until a leader has told it what it may have voted",
			l.transport.Now().Round(time.Second))
	case core.DiskStalled():
		return "the disk of this replica has made no progress for an election timeout"
	}
	state := fmt.Sprintf("this replica votes, as a %v", core.Role())
	e := core.Election()
	switch core.Role() {
	case paxos.PreCandidate:
		state += fmt.Sprintf(" whom %d would vote for and %d not", e.PreVotes.Len(), e.PreVotesRefused.Len())
	case paxos.Candidate:
		state += fmt.Sprintf(" whom %d have promised its ballot", e.Promises.Len())
	}
	if wait := e.LeasedUntil - l.transport.Now(); wait > 0 {
		state += fmt.Sprintf(", in %v, when no lease that it has granted can last any more", wait.Round(time.Millisecond))
	}
	if e.DiskStalled {
		state += ", and its disk has not answered for an election timeout"
	}
	return state
}

// state says what a peer contributes.
func (p *Peer) state() string {
	switch {
	case p.NonVoting:
		return fmt.Sprintf("replica %d is connected and does not vote", p.ID)
	case p.Silent:
		return fmt.Sprintf("replica %d is connected and does not answer", p.ID)
	case p.Connected && p.PreVote != "":
		return fmt.Sprintf("replica %d is connected and has %s a pre-vote", p.ID, p.PreVote)
	case p.Connected:
		return fmt.Sprintf("replica %d is connected", p.ID)
	case p.Problem != "":
		return fmt.Sprintf("replica %d at %s is not connected: %s", p.ID, p.Addr, p.Problem)
	default:
		return fmt.Sprintf("replica %d at %s is not connected", p.ID, p.Addr)
	}
}

// notReady says why clients are better served elsewhere; nothing if they are not.
func (l *loop) notReady() string {
	switch {
	case l.cfg.Unreplicated:
		return ""
	case !l.node.Core().Voting():
		return RoleNonVoting + ": " + l.ownState()
	default:
		return l.whyNoLeader()
	}
}
