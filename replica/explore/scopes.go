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

// Scopes are what the explorer walks through. Those that begin behind an election reach what comes after it; those that
// begin with nothing reach all that may happen to one.
var Scopes = []Scope{
	{Name: "put", Replicas: 3, Ballots: ballots("1.1"), Slots: 1, Rounds: 1},
	{Name: "put, two slots", Replicas: 2, Ballots: ballots("1.1"), Slots: 3, Rounds: 1, Partial: true},
	{Name: "put, three replicas", Replicas: 3, Ballots: ballots("1.1"), Slots: 3, Rounds: 2, Partial: true, Quiet: true, Begin: []Move{Elect(1, 2)}},
	{Name: "rounds", Replicas: 2, Ballots: ballots("1.1"), Slots: 2, Rounds: 2, Silence: true, Partial: true},
	{Name: "restart", Replicas: 2, Ballots: ballots("1.1", "2.1"), Slots: 2, Rounds: 1, Crashes: 1},
	{Name: "election", Replicas: 2, Ballots: ballots("1.1", "2.2"), Slots: 2, Rounds: 1},
	{Name: "rivals", Replicas: 2, Ballots: ballots("1.1", "1.2", "2.1"), Slots: 2, Rounds: 1},
	{Name: "rivals, three replicas", Replicas: 3, Ballots: ballots("1.1", "1.2"), Slots: 1, Rounds: 1},
	{Name: "succession", Replicas: 3, Ballots: ballots("1.1", "2.2"), Slots: 2, Rounds: 2, Begin: []Move{Elect(1, 2), Put(1, 2)}, Quiet: true},
	{Name: "succession of a stranger", Replicas: 3, Ballots: ballots("1.1", "2.3"), Slots: 2, Rounds: 2, Begin: []Move{Elect(1, 2), Put(1, 2)}, Quiet: true},
	{Name: "three ballots", Replicas: 3, Ballots: ballots("1.1", "2.2", "3.3"), Slots: 2, Rounds: 1, Quiet: true, Begin: []Move{Elect(1, 2), Put(1)}},
	{Name: "crash", Replicas: 2, Ballots: ballots("1.1", "2.2"), Slots: 2, Rounds: 2, Crashes: 1, Partial: true, Quiet: true, Begin: []Move{Elect(1, 2)}},
	{Name: "crash, three replicas", Replicas: 3, Ballots: ballots("1.1", "2.2"), Slots: 2, Rounds: 2, Crashes: 2, Quiet: true, Begin: []Move{Elect(1, 2, 3), Put(1, 2)}},
	{Name: "lost disk", Replicas: 3, Ballots: ballots("1.1", "2.2"), Slots: 2, Rounds: 3, LostDisks: 1, Quiet: true, Begin: []Move{Elect(1, 2, 3)}},
	{Name: "lost disk, two replicas", Replicas: 2, Ballots: ballots("1.1", "2.2"), Slots: 2, Rounds: 2, LostDisks: 1, Quiet: true, Begin: []Move{Elect(1, 2)}},
	{Name: "two lost disks", Replicas: 3, Ballots: ballots("1.1", "2.3"), Slots: 2, Rounds: 3, LostDisks: 2, Quiet: true, Begin: []Move{Elect(1, 2, 3)}},
	{Name: "quorums 1 and 3", Replicas: 3, Quorum1: 1, Quorum2: 3, Ballots: ballots("1.1", "2.2"), Slots: 2, Rounds: 2, Crashes: 1, Quiet: true, Begin: []Move{Elect(1, 2, 3)}},
	{Name: "quorums 3 and 1", Replicas: 3, Quorum1: 3, Quorum2: 1, Ballots: ballots("1.1", "2.2"), Slots: 2, Rounds: 2, Crashes: 1, Quiet: true, Begin: []Move{Elect(1, 2, 3)}},
}
