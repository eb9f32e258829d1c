package model

import (
	"strings"

	"paxosbench/bench/suite"
	"paxosbench/wire"
)

// point is a configuration in the model's terms. Times are seconds, sizes bytes.
type point struct {
	replicas     float64
	unreplicated bool
	durability   string
	batch        float64 // commands of the largest batch that can form
	depth        float64 // batches in flight
	inFlight     float64 // commands that the clients have in flight; 0: as many as are due
	dataBytes    float64 // of key and value
	wireBytes    float64 // of a command's share of the message that carries the batch
	storedBytes  float64 // of that share, compressed
	linkDelay    float64 // one way
	linkRate     float64 // bytes per second; 0: as fast as it goes
}

// most is the depth of an adaptive pipeline: the most that a replica allows.
const most = 4096

// newPoint reads the settings of a cell. It is false if the model does not cover them: reads that bypass the log, a
// state machine that was not calibrated, sizes drawn at random.
func newPoint(s suite.Cell) (point, bool) {
	ok := true
	number := func(knob string) float64 {
		v, numeric := suite.Numeric(s.Effective(knob))
		ok = ok && numeric
		return v
	}
	if s.Effective("machine") != "kv" || s.Effective("reads") != "log" && number("mix") > 0 || s.Get("workload") != "" {
		return point{}, false
	}
	p := point{
		replicas:     number(suite.KnobReplicas),
		unreplicated: s.Get(suite.KnobUnreplicated) == "true",
		durability:   s.Effective("durability"),
		inFlight:     number("conns") * number(suite.KnobWindow),
		dataBytes:    number("key-size") + number("value-size"),
		linkDelay:    number(suite.KnobLinkDelay),
	}
	if rate := s.Effective(suite.KnobLinkRate); rate != suite.Unlimited {
		p.linkRate = number(suite.KnobLinkRate)
	}
	if s.Get(suite.KnobLoad) != "" || s.Get("rate") != "" {
		p.inFlight = 0
	}
	command, header := wire.CommandHeaderSize+p.dataBytes, float64(wire.MessageHeaderSize+wire.RunHeaderSize)
	if number("mix") == 0 && p.dataBytes >= wire.CommandHeaderSize && p.dataBytes <= wire.MaxAlike { // puts, which are alike
		command, header = p.dataBytes, header+wire.CommandHeaderSize
	}
	p.setDepth(s.Effective("pipeline"))
	p.setBatch(s.Effective("batch"), command, number("batch-bytes"))
	p.wireBytes = command + header/p.batch
	p.storedBytes = p.wireBytes
	if s.Effective("compress") != "none" {
		p.storedBytes = p.wireBytes / max(number("compress-ratio"), 1)
	}
	return p, ok
}

func (p *point) setDepth(pipeline string) {
	p.depth = most
	if n, numeric := suite.Numeric(pipeline); numeric {
		p.depth = n
	}
}

// setBatch finds how many commands a batch can have: what the policy asks for, if clients have that many in flight. An
// adaptive batch takes all of them at best.
func (p *point) setBatch(policy string, command, largestBytes float64) {
	largest := max(1, largestBytes/command)
	n, numeric := suite.Numeric(policy)
	switch {
	case policy == "none":
		p.batch = 1
	case !numeric:
		p.batch = largest
	case strings.HasPrefix(policy, "bytes:"):
		p.batch = min(largest, max(1, n/command))
	default:
		p.batch = min(largest, n)
	}
	if p.inFlight > 0 {
		p.batch = max(1, min(p.batch, p.inFlight))
	}
}
