package main

// explored are the mutants that the explorer has to find as well. It does not run what the others break (disks, snapshots,
// sessions, threads), or does not look at it (liveness, pace, leases), or they take more than three replicas to show:
// adopt-lowest-ballot, rejoin-without-candidates and rejoiner-stands-for-another.
var explored = []string{
	"vote-of-any-ballot", "vote-before-sync", "promise-before-sync", "promise-not-recovered", "accept-below-promise", "promise-below-promise",
	"adopt-nothing", "forget-own-acceptances", "promise-without-suffix", "frontier-ignored-in-phase-1", "phase-1-without-quorum",
	"phase-2-without-quorum", "ballot-reused", "commit-without-ballot", "restore-believes-notices", "index-recorded-too-high",
	"index-not-restored", "rejoin-at-once", "rejoin-without-catching-up", "rejoin-unconfirmed", "rejoin-without-promise",
	"rejoin-stale-nonce", "one-answer-confirms",
}
