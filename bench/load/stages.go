package load

import (
	"time"

	"paxosbench/bench/load/pacing"
	"paxosbench/bench/record"
)

// stageSums adds up the intervals of every stage.
type stageSums struct {
	stages []pacing.Stage
	sets   []*record.Set
}

func newStageSums(stages []pacing.Stage) *stageSums {
	s := &stageSums{stages: stages}
	for range stages {
		s.sets = append(s.sets, record.NewSet())
	}
	return s
}

// add adds an interval to the stage that it lies in; what is answered in the drain belongs to the last one.
func (s *stageSums) add(set *record.Set) {
	end := time.Duration(0)
	for i, stage := range s.stages {
		end += stage.Length
		if set.Start < end && !set.Drain || i == len(s.stages)-1 {
			s.sets[i].Merge(set)
			return
		}
	}
}

// describe returns what came of the stages.
func (s *stageSums) describe() (described []record.Stage) {
	at := time.Duration(0)
	for i, stage := range s.stages {
		set := s.sets[i]
		described = append(described, record.Stage{
			AtS: at.Seconds(), LengthS: stage.Length.Seconds(), Rate: stage.Rates(), Ops: set.Counts,
			OpsPerS: float64(set.Counts.OK) / stage.Length.Seconds(), Latency: set.Intended.Summary(), Service: set.Service.Summary(),
		})
		at += stage.Length
	}
	return described
}
