package sim

import (
	"math/rand/v2"
	"time"
)

// heartbeat is the interval of a leader's.
const heartbeat = 20 * time.Millisecond

// tickInterval is how often a replica is told the time.
const tickInterval = 5 * time.Millisecond

// failoverTimeouts is for how many election timeouts a quorum that is up and connected may be without a leader. Of 656 elections that
// were measured half took 2.2 timeouts at most, one in ten more than 3, one in a hundred more than 4.7, and the longest 8. Three
// more make one ten times as rare: if one takes 20, it is not bad luck.
const failoverTimeouts = 20

// times are the durations of one run. What matters is their proportion: everything is a multiple of the election timeout,
// and that one of the heartbeat or, where links are long, of the delay.
type times struct {
	heartbeat       time.Duration
	electionTimeout time.Duration
	delay           time.Duration // mean of what a message takes

	faultTime    time.Duration // length of the first part
	healTime     time.Duration // for every client to get on once a quorum is healthy
	settleTime   time.Duration // for all replicas to come to hold the same
	failoverTime time.Duration // for a healthy quorum to have another leader than one that has failed; twice that to get on
	stepTime     time.Duration // for one step of a script to come about

	clientTimeout time.Duration // before a client tries another replica, at first
	readTimeout   time.Duration // before a reader gives a query up: long enough for a few rounds
}

// drawTimes draws how long messages take. In one run of twelve it is up to ten heartbeats, so that several of them are under way
// at any time.
func drawTimes(rng *rand.Rand) times {
	if rng.IntN(12) == 0 {
		return newTimes(time.Duration(1+rng.IntN(10)) * heartbeat)
	}
	return newTimes([]time.Duration{100 * time.Microsecond, time.Millisecond, 10 * time.Millisecond}[rng.IntN(3)])
}

// newTimes returns what follows from the mean delay.
func newTimes(delay time.Duration) times {
	// An election takes two round trips and more, so that its timeout must be a multiple of them.
	t := times{heartbeat: heartbeat, electionTimeout: max(150*time.Millisecond, 8*delay), delay: delay}
	t.faultTime, t.healTime, t.settleTime = 40*t.electionTimeout, 134*t.electionTimeout, 200*t.electionTimeout
	t.failoverTime, t.stepTime = failoverTimeouts*t.electionTimeout, 8*t.electionTimeout
	t.clientTimeout, t.readTimeout = 2*t.electionTimeout, 4*max(t.heartbeat, t.delay)
	return t
}
