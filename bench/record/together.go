package record

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// mustAgree lists the keys of the configuration in which results that are added up must agree: otherwise operations of
// one kind are added to those of another, or the generators have not divided the keys.
var mustAgree = []string{
	"mode", "warmup", "duration", "stages", "timeout", "verify",
	"keys", "key_dist", "key_size", "value_size", "compress_ratio", "mix", "preload",
}

// shouldAgree lists those of which a merged result has only what the first generator had: sums mean something all the
// same.
var shouldAgree = []string{"addrs", "rate_ops_per_s", "arrival", "tick", "conns", "clients", "threads", "window", "session_window"}

// Checks of a merged result.
const (
	// CheckOverlap compares the time during which all generators measured with the longest measurement.
	CheckOverlap = "overlap"
	// CheckConfiguration counts the keys of the configuration in which they should agree and do not.
	CheckConfiguration = "configuration"
)

// leastOverlap is the share of the longest measurement during which all must have measured. Those that begin together
// have more than 0.99 in common; a throughput of 0.95 and less of the time may be another one.
const leastOverlap = 0.95

// addable returns why results must not be added up: they are not parts of one measurement. Each reason names its remedy.
func addable(results []*Result) error {
	if len(results) == 0 {
		return errors.New("no results")
	}
	if err := distinct(results); err != nil {
		return err
	}
	errs := []error{dividedKeys(results)}
	if keys := disagreements(results, mustAgree); len(keys) > 0 {
		errs = append(errs, fmt.Errorf("the results differ in %s: their sum would describe no load; run the generators with the same flags",
			strings.Join(keys, "; ")))
	}
	if overlap(results) <= 0 {
		errs = append(errs, errors.New("the results were not measured at the same time, so throughputs do not add up: "+
			"start the generators together, with the same --start-at"))
	}
	return errors.Join(errs...)
}

// distinct refuses a generator's run that is there twice. Its figures, to the nanosecond, are its identity: they survive
// copying and merging.
func distinct(results []*Result) error {
	seen := make(map[Generator]int)
	for i, r := range results {
		for _, row := range rowsOf(r) {
			if first, twice := seen[row]; twice {
				return fmt.Errorf("results %d and %d hold the same run of generator %q, which would count double: give each result once",
					first+1, i+1, row.Name)
			}
			seen[row] = i
		}
	}
	return nil
}

// rowsOf returns the generators whose figures a result holds.
func rowsOf(r *Result) []Generator {
	if len(r.Generators) > 0 {
		return r.Generators
	}
	return []Generator{r.Generator}
}

// dividedKeys refuses generators that had the same keys, or divided them in different ways.
func dividedKeys(results []*Result) error {
	seen, others := make(map[string]bool), make(map[string]bool)
	for _, r := range results {
		for _, id := range generatorsOf(r) {
			_, of, _ := strings.Cut(id, "/")
			others[of] = true
			if seen[id] || len(others) > 1 {
				return fmt.Errorf("generator %s beside %s: they have not divided the keys; start N generators with --generator 1/N, 2/N and so on",
					id, strings.Join(slices.Sorted(maps.Keys(seen)), ", "))
			}
			seen[id] = true
		}
	}
	return nil
}

// generatorsKey is where the configuration says which of several generators a result is of, as in 1/2.
const generatorsKey = "generator"

// generatorsOf returns which generators a result is of; none, if it does not say.
func generatorsOf(r *Result) []string {
	text, _ := r.Config[generatorsKey].(string)
	return strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ' ' })
}

// disagreements lists those of the keys of the configuration in which not all results agree, with values that differ.
func disagreements(results []*Result, keys []string) (differing []string) {
	for _, key := range keys {
		first := results[0].Config[key]
		other := slices.IndexFunc(results, func(r *Result) bool { return !reflect.DeepEqual(r.Config[key], first) })
		if other >= 0 {
			differing = append(differing, fmt.Sprintf("%s (%v, %v)", key, first, results[other].Config[key]))
		}
	}
	return differing
}

// overlap returns the time during which all results were measured, relative to the longest measurement; 0 or less if
// there is none.
func overlap(results []*Result) float64 {
	span := func(r *Result) time.Duration { return time.Duration(r.MeasuredS * float64(time.Second)) }
	begin, end, longest := results[0].StartedAt, results[0].StartedAt.Add(span(results[0])), time.Duration(1)
	for _, r := range results {
		if r.StartedAt.After(begin) {
			begin = r.StartedAt
		}
		if over := r.StartedAt.Add(span(r)); over.Before(end) {
			end = over
		}
		longest = max(longest, span(r))
	}
	return float64(end.Sub(begin)) / float64(longest)
}

// togetherness checks how far results are parts of one measurement.
func togetherness(results []*Result) []Check {
	common, differing := overlap(results), disagreements(results, shouldAgree)
	checks := []Check{
		{Name: CheckOverlap, OK: common >= leastOverlap, Value: common, Limit: leastOverlap, Unit: "of the measurement", Severity: Degraded},
		{Name: CheckConfiguration, OK: len(differing) == 0, Value: float64(len(differing)), Severity: Degraded},
	}
	if !checks[0].OK {
		checks[0].Reason = "for part of the time not all generators measured: give all of them the same --start-at"
	}
	if !checks[1].OK {
		checks[1].Reason = "the generators differ in " + strings.Join(differing, "; ") + ": the configuration shown is that of the first"
	}
	return checks
}
