// Package paxos is Multi-Paxos as a pure, single-threaded state machine: messages, ticks and notices of durability go
// in, messages and records to persist come out. It never sees a socket, a file, a goroutine, a clock or a global
// random source, so the same code runs under the event loop and under the seeded simulator.
//
// One role per file, in the order in which a command meets them:
//
//	election.go  who may propose: randomised timeouts, pre-vote, step-down
//	phase1.go    promises, pulled in parts; adoption
//	proposer.go  the backlog of a new leader, no-op fill; phase 2 under a stable leader
//	sending.go   how much of it is sent to whom, and what is sent again
//	acceptor.go  promised and accepted; what is answered, and only after which record is durable
//	learner.go   the commit index
//	fetch.go     catching up from peers
//	flow.go      how much a peer is asked for or sent at once
//	rounds.go    heartbeats and their answers, at any round trip
//	reads.go     reads without the log
//	restore.go   what a restart knows
//	rejoin.go    how a replica that forgot its promises becomes a voter again
//	log.go       the slots held in memory
//	core.go      the machine around them: Step, Tick, Persisted, Ready
//
// The protocol is that of Lamport, "Paxos Made Simple" (2001), section 3, run for many slots at once as in Chandra et
// al., "Paxos Made Live" (2007) and van Renesse and Altinbuken, "Paxos Made Moderately Complex" (2015). Quorums may be
// flexible (Howard et al., "Flexible Paxos", 2016). The pre-vote is from Ongaro's dissertation (2014), section 9.6; the
// return of a replica without its memory follows the recovery protocol of Liskov and Cowling, "Viewstamped Replication
// Revisited" (2012), section 4.3.
package paxos
