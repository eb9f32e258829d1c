package observe

import "paxosbench/bench/record"

// A replica that is started again counts from 0: what it did in a measurement is the sum over its processes.

// lifetime is what one process did between two looks. A process that began between them is seen from its beginning.
type lifetime struct{ from, to *Scrape }

// lifetimes returns what the processes of a replica did between two looks at it; ended are the looks at processes just before
// they were killed, in order. restarts counts processes that have ended. It is not whole if one has ended without a last
// look: nobody knows what that did.
func lifetimes(before, after *Scrape, ended []Scrape) (list []lifetime, restarts int, whole bool) {
	if before.Err != nil {
		return nil, 0, false
	}
	from := before // nil: the beginning of a process that has not been seen yet
	for i := range ended {
		last := &ended[i]
		if last.Status.ID != before.Status.ID {
			continue
		}
		if from != nil && last.Status.PID != from.Status.PID {
			return nil, restarts + 1, false
		}
		list, from = append(list, lifetime{from, last}), nil
		restarts++
	}
	switch {
	case after.Err != nil: // it is down, perhaps because it was killed
		return list, restarts, from == nil
	case from != nil && after.Status.PID != from.Status.PID:
		return nil, restarts + 1, false
	}
	return append(list, lifetime{from, after}), restarts, true
}

// cpu returns the CPU time that the processes used, in nanoseconds.
func cpu(list []lifetime) (ns int64) {
	for _, s := range list {
		ns += s.to.Status.CPUNs
		if s.from != nil {
			ns -= s.from.Status.CPUNs
		}
	}
	return ns
}

// rises returns what counters have risen by, and the figures among them.
func rises(list []lifetime) (map[string]float64, figures) {
	deltas, sums := make(map[string]float64), figures{}
	for _, s := range list {
		from := s.from
		if from == nil {
			from = &Scrape{}
		}
		addRises(deltas, from.Counters, s.to.Counters, s.from == nil)
		sums.add(&from.figures, &s.to.figures)
	}
	return deltas, sums
}

// describeLives adds what the processes of a replica did between two looks at it.
func describeLives(r *record.Replica, before, after *Scrape, ended []Scrape, ops int64) {
	list, restarts, whole := lifetimes(before, after, ended)
	r.Restarts = restarts
	if !whole {
		return
	}
	seconds := after.At.Sub(before.At).Seconds()
	if used := cpu(list); before.Status.CPUNs > 0 && used > 0 {
		r.CPUShare = float64(used) / 1e9 / seconds
		if ops > 0 {
			r.CPUNsPerOp = float64(used) / float64(ops)
		}
	}
	deltas, sums := rises(list)
	r.Deltas = deltas
	r.Batch = ratio(sums.commands, sums.batches)
	r.Window = ratio(sums.depth, sums.proposed)
	r.Syncs = ratio(sums.syncs, seconds)
	r.BytesPerSync = ratio(sums.bytes, sums.syncs)
}
