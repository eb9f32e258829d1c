// Package sim runs whole clusters on one goroutine, with a simulated clock, network and disk, and breaks them. The
// replicas are the production ones: protocol, journal, recovery, state machine, snapshots. Everything else is drawn from
// one seed, so a seed is a test case: it says how large the cluster is, how it batches, what goes wrong and when, and
// the same seed gives the same transcript, byte for byte.
//
// A run has three parts. First faults strike while clients work, at random and, so that they meet where an argument is
// thin, by plots. Then a quorum is healed, and every client must get on. Then everything is healed, the leader fails in
// one way and another must take over, and all replicas must come to hold the same. Beside the cluster stand checkers that
// know everything and that no replica can talk to, and the history of the clients is checked for linearizability.
//
// The idea is that of FoundationDB's simulation (Zhou et al., SIGMOD 2021).
//
// Reading order:
//
//	plan.go       what a seed decides; times.go: how long things take; limits.go: how much of everything
//	world.go      a run; events.go: time
//	network.go    links of single messages; stream.go: of streams with a rate and a queue
//	replica.go    a replica and its lives; disk.go, snapshots.go: what it keeps
//	client.go     what clients do; requests.go: what a replica does with it; queries.go: gets beside the log
//	faults.go     what goes wrong at random; damage.go: to disks that are at rest; operators.go: by those who start replicas
//	plots.go      what goes wrong on purpose
//	probes.go     whether a cluster gets on without its leader, and finds out who has gone astray
//	check.go      what must never happen; promises.go, recovered.go, history.go: parts of it
//	counts.go     what has happened
package sim
