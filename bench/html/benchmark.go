package html

import (
	"bytes"
	"strings"

	"golang.org/x/perf/benchfmt"

	"paxosbench/bench/report"
	"paxosbench/bench/suite"
)

// benchmarkColumns are the units of Go's benchmark format and the columns they hold. The format wants times in seconds.
var benchmarkColumns = []struct {
	unit, column string
	scale        float64
}{
	{"op/s", "throughput", 1}, {"p50-sec", "p50", 1e-9}, {"p99-sec", "p99", 1e-9}, {"leader-cpu-sec/op", "cpu_leader", 1e-9},
	{"loadgen-cpu-sec/op", "cpu_loadgen", 1e-9}, {"commands/batch", "batch_mean", 1},
}

// benchmarkText writes all runs in Go's benchmark format, a line each, for benchstat to group by /knob and compare. Those that
// did not hold are marked by held, and count as worse than any figure.
func benchmarkText(dir *suite.Dir) ([]byte, error) {
	var out bytes.Buffer
	w := benchfmt.NewWriter(&out)
	for _, unit := range []string{"op/s", "commands/batch", report.HeldUnit} {
		if err := w.Write(&benchfmt.UnitMetadata{UnitMetadataKey: benchfmt.UnitMetadataKey{Unit: unit, Key: "better"}, OrigUnit: unit, Value: "higher"}); err != nil {
			return nil, err
		}
	}
	runs := dir.Runs()
	for i := range runs {
		if r := &runs[i]; r.Kind == suite.KindRun {
			if err := w.Write(benchmarkOf(dir, r)); err != nil {
				return nil, err
			}
		}
	}
	return out.Bytes(), nil
}

func benchmarkOf(dir *suite.Dir, r *suite.Run) *benchfmt.Result {
	b := &benchfmt.Result{Name: benchfmt.Name(benchmarkName(dir.Suite.Name, r.Cell)), Iters: 1}
	held := 0.0
	if r.Result != nil {
		b.Iters = int(max(1, r.Result.Ops.OK))
	}
	if r.Held() {
		held = 1
	}
	for _, c := range [][2]string{{"goos", "linux"}, {"pkg", "paxosbench/bench"}, {"cpu", dir.Manifest.Host.CPU}, {"commit", dir.Manifest.Commit}} {
		b.Config = append(b.Config, benchfmt.Config{Key: c[0], Value: []byte(c[1]), File: true})
	}
	for _, c := range benchmarkColumns {
		column, _ := suite.ColumnOf(c.column)
		if v, ok := r.Figure(column); ok {
			b.Values = append(b.Values, benchfmt.Value{Value: min(max(v*c.scale, 0), report.WorstTime), Unit: c.unit})
		}
	}
	b.Values = append(b.Values, benchfmt.Value{Value: held, Unit: report.HeldUnit})
	return b
}

// benchmarkName spells a cell as a benchmark's name: Batching/batch=count:64/window=16.
func benchmarkName(name string, cell suite.Cell) string {
	parts := []string{strings.ToUpper(name[:1]) + strings.ReplaceAll(name[1:], "-", "_")}
	for _, s := range cell {
		parts = append(parts, s.Knob+"="+report.BenchSafe(s.Value))
	}
	return strings.Join(parts, "/")
}
