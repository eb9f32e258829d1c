// Package explore walks through every state that a small cluster can reach, with the protocol code that runs in
// production. Where the simulator (replica/sim) draws one long life after another, this visits all lives of a scope: two or
// three replicas, a few ballots, a few slots, some crashes, and messages that arrive in any order, any number of times, or
// never.
//
// What makes that cheap is that the core is pure. What a replica does depends on its own state and on one event, so
// the core runs once for each pair of them that occurs and the result is remembered; a state of the cluster is a few numbers, one
// for each replica's state and one for the set of messages that were ever sent to it. (Holzmann's SPIN calls that collapse
// compression.) The walk is breadth-first, so the first violation found has a shortest transcript.
//
//	scope.go       what may happen, and how often; scopes.go has those that are walked through
//	begin.go       the way to where a walk begins
//	freeze.go      copies and encodings of a core, complete by construction; freeze_struct.go those of structs
//	replica.go     one replica with its disk: states, events, and what comes of them
//	network.go     messages, and the sets of those sent to a replica
//	local.go       what must hold in every step of one replica
//	global.go      what must hold in every state of the cluster
//	search.go      the walk
//	transcript.go  the way to a violation, in words
//
// Abstractions, each on the side of more behaviour. The network is a set that only grows: to lose a message is never to
// deliver it, to double or reorder it is to deliver it again or later. Each replica has a clock of its own that only timers can
// see: any timer may fire in any state, and a leader may count as silent at any moment. A crash loses what is not durable; that
// some of it survives is a sync whose messages are lost. A crash takes no time: to be down is to receive nothing.
//
// Not here: leases (they assume clocks in step), logs that are trimmed, snapshots, the journal's files, liveness. These are
// the simulator's.
package explore
