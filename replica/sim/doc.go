// Package sim runs whole clusters on one goroutine, with a simulated clock, network and disk, and breaks them. The
// replicas are the production ones: protocol, journal, recovery, state machine, snapshots. Everything else is drawn from
// one seed, so a seed is a test case: it says how large the cluster is, how it batches, what goes wrong and when, and
// the same seed gives the same transcript, byte for byte.
//
// A run has three parts. First faults strike while clients work. Then a quorum is healed, and every client must get on.
// Then everything is healed, and all replicas must come to hold the same. Beside the cluster stand checkers that know
// everything and that no replica can talk to (check.go), and the history of the clients is checked for
// linearizability (history.go).
//
// The idea is that of FoundationDB's simulation (Zhou et al., SIGMOD 2021).
//
// Reading order: plan.go (what a seed decides), world.go (time and network), replica.go (a replica and its disk),
// client.go, check.go.
package sim
