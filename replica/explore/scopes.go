package explore

import "paxosbench/wire"

// ballots returns the ballots with these names, each ROUND.REPLICA.
func ballots(names ...string) (list []wire.Ballot) {
	for _, name := range names {
		var b wire.Ballot
		if err := b.UnmarshalText([]byte(name)); err != nil {
			panic("BUG: " + err.Error())
		}
		list = append(list, b)
	}
	return list
}

// Scopes are what the explorer walks through. Those that begin with nothing reach all that may happen to an election; the others
// begin behind one or more, and reach what comes after them.
var Scopes = []Scope{
	// Small enough for all of their states.
	{Name: "smallest", Replicas: 2, Ballots: ballots("1.1"), Slots: 2, Rounds: 1},
	{Name: "smallest, crash", Replicas: 2, Ballots: ballots("1.1"), Slots: 2, Rounds: 1, Crashes: 1},
	{Name: "smallest, succession", Replicas: 2, Ballots: ballots("1.1", "2.2"), Slots: 2, Rounds: 1, Crashes: 1, Begin: []Move{Elect(1, 2), Put(1, 2)}},
	{Name: "smallest, three replicas", Replicas: 3, Ballots: ballots("1.1"), Slots: 3, Rounds: 1, Begin: []Move{Elect(1, 2, 3)}},

	// One leader.
	{Name: "put", Replicas: 3, Ballots: ballots("1.1"), Slots: 1, Rounds: 1},
	{Name: "put, two replicas", Replicas: 2, Ballots: ballots("1.1"), Slots: 3, Rounds: 1, Partial: true},
	{Name: "put, behind an election", Replicas: 3, Ballots: ballots("1.1"), Slots: 3, Rounds: 2, Partial: true, Begin: []Move{Elect(1, 2)}},
	{Name: "rounds", Replicas: 2, Ballots: ballots("1.1"), Slots: 2, Rounds: 2, Silence: true, Partial: true},
	{Name: "restart", Replicas: 2, Ballots: ballots("1.1", "2.1"), Slots: 2, Rounds: 1, Crashes: 1},

	// Two and three ballots.
	{Name: "election", Replicas: 2, Ballots: ballots("1.1", "2.2"), Slots: 2, Rounds: 1},
	{Name: "rivals, two replicas", Replicas: 2, Ballots: ballots("1.1", "1.2", "2.1"), Slots: 2, Rounds: 1},
	{Name: "rivals", Replicas: 3, Ballots: ballots("1.1", "1.2"), Slots: 1, Rounds: 1},
	{Name: "succession", Replicas: 3, Ballots: ballots("1.1", "2.2"), Slots: 2, Rounds: 2,
		Begin: []Move{Elect(1, 2), Put(1, 2)}},
	{Name: "succession of a stranger", Replicas: 3, Ballots: ballots("1.1", "2.3"), Slots: 2, Rounds: 2,
		Begin: []Move{Elect(1, 2), Put(1, 2)}},
	{Name: "three ballots", Replicas: 3, Ballots: ballots("1.1", "2.2", "3.3"), Slots: 2, Rounds: 1,
		Begin: []Move{Elect(1, 2), Put(1)}},
	{Name: "the third finds two values", Replicas: 3, Ballots: ballots("1.1", "2.2", "3.3"), Slots: 2, Rounds: 3, Crashes: 1,
		Begin: []Move{Elect(1, 2, 3), Put(1), Elect(2, 3), Crash(1)}},
	{Name: "the first comes back", Replicas: 3, Ballots: ballots("1.1", "2.2", "3.1"), Slots: 2, Rounds: 3,
		Begin: []Move{Elect(1, 2, 3), Put(1), Elect(2, 3)}},

	// Crashes.
	{Name: "crash", Replicas: 3, Ballots: ballots("1.1", "2.2"), Slots: 2, Rounds: 2, Crashes: 2,
		Begin: []Move{Elect(1, 2, 3), Put(1, 2)}},
	{Name: "crash, two replicas", Replicas: 2, Ballots: ballots("1.1", "2.2"), Slots: 2, Rounds: 2, Crashes: 1, Partial: true,
		Begin: []Move{Elect(1, 2)}},
	{Name: "crash with stale slots", Replicas: 3, Ballots: ballots("1.1", "2.2", "3.1"), Slots: 3, Rounds: 3, Crashes: 1, Late: []wire.Type{wire.TypeAccept},
		Begin: []Move{Elect(1, 2, 3), Put(1), Elect(2, 3), Put(2, 3)}},

	{Name: "late votes", Replicas: 3, Ballots: ballots("1.1", "2.1"), Slots: 3, Rounds: 2, Crashes: 1, Late: []wire.Type{wire.TypeAccepted},
		Begin: []Move{Elect(1, 2, 3), Send(1, 2), Send(1, 2), Crash(1), Elect(1, 3)}},

	// Lost disks: with nothing before; with a vote for what is chosen; a promise that late Accepts violate; in the quorum of a new leader, and
	// found by the old one; twice, with a late answer to the first time.
	{Name: "lost disk", Replicas: 3, Ballots: ballots("1.1", "2.2"), Slots: 2, Rounds: 3, LostDisks: 1, Begin: []Move{Elect(1, 2, 3)}},
	{Name: "lost disk, two replicas", Replicas: 2, Ballots: ballots("1.1", "2.2"), Slots: 2, Rounds: 2, LostDisks: 1, Begin: []Move{Elect(1, 2)}},
	{Name: "lost vote", Replicas: 3, Ballots: ballots("1.1", "2.3"), Slots: 2, Rounds: 3, LostDisks: 1, Late: []wire.Type{wire.TypeRejoinReply},
		Begin: []Move{Elect(1, 2, 3), Put(1, 2), Lose(2), Beat(2, 1), Beat(1, 3, 1)}},
	{Name: "lost promise", Replicas: 3, Ballots: ballots("1.1", "2.2"), Slots: 3, Rounds: 3, LostDisks: 1, Late: []wire.Type{wire.TypeAccept},
		Begin: []Move{Elect(1, 2, 3), Put(1), Put(1), Elect(2, 3), Lose(3), Beat(3, 1, 2), Beat(2, 1, 3), Beat(3)}},
	{Name: "old leader", Replicas: 3, Ballots: ballots("1.1", "2.3"), Slots: 2, Rounds: 3, LostDisks: 1, Late: []wire.Type{wire.TypeHeartbeatReply},
		Begin: []Move{Elect(1, 2, 3), Elect(3, 2), Lose(2), Beat(1, 2), Beat(2, 1)}},
	{Name: "two lost disks", Replicas: 3, Ballots: ballots("1.1", "2.2"), Slots: 2, Rounds: 5, LostDisks: 2, Late: []wire.Type{wire.TypeRejoinReply},
		Begin: []Move{Elect(1, 2, 3), Lose(3), Beat(3, 1, 2), Beat(1, 2, 3), Beat(3), Send(1, 3), Beat(1), Lose(3), Beat(1, 3)}},

	// Flexible quorums.
	{Name: "quorums 1 and 3", Replicas: 3, Quorum1: 1, Quorum2: 3, Ballots: ballots("1.1", "2.2"), Slots: 2, Rounds: 2, Crashes: 1,
		Begin: []Move{Elect(1, 2, 3)}},
	{Name: "quorums 3 and 1", Replicas: 3, Quorum1: 3, Quorum2: 1, Ballots: ballots("1.1", "2.2"), Slots: 2, Rounds: 2, Crashes: 1,
		Begin: []Move{Elect(1, 2, 3)}},
	{Name: "quorums 3 and 2, lost disk", Replicas: 3, Quorum1: 3, Quorum2: 2, Ballots: ballots("1.1", "2.3"), Slots: 2, Rounds: 2, LostDisks: 1,
		Begin: []Move{Elect(1, 2, 3)}},
}
