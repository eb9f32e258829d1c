package record

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// tableRow is a line of a percentile table.
type tableRow struct {
	ms       float64
	quantile float64 // 0 to 1, with six decimals
	count    int64
	inverse  float64 // 1/(1-quantile)
}

// readTable is a reader of .hgrm files, which HdrHistogram's Go library has none of. It returns the rows, and the mean,
// the maximum (both in ms) and the count of the foot.
func readTable(r io.Reader) (rows []tableRow, mean, highest float64, total int64, err error) {
	scanner := bufio.NewScanner(r)
	if !scanner.Scan() || strings.Join(strings.Fields(scanner.Text()), " ") != "Value Percentile TotalCount 1/(1-Percentile)" {
		return nil, 0, 0, 0, fmt.Errorf("head %q", scanner.Text())
	}
	for scanner.Scan() {
		line := strings.NewReplacer("[", " ", "]", " ", ",", " ").Replace(scanner.Text())
		var row tableRow
		var rest float64
		switch {
		case line == "":
		case strings.HasPrefix(line, "# Mean"):
			_, err = fmt.Sscanf(line, "# Mean = %g StdDeviation = %g", &mean, &rest)
		case strings.HasPrefix(line, "# Max"):
			_, err = fmt.Sscanf(line, "# Max = %g Total count = %d", &highest, &total)
		case strings.HasPrefix(line, "# Buckets"):
			return rows, mean, highest, total, nil
		default:
			_, err = fmt.Sscan(line, &row.ms, &row.quantile, &row.count, &row.inverse)
			rows = append(rows, row)
		}
		if err != nil {
			return nil, 0, 0, 0, fmt.Errorf("line %q: %w", line, err)
		}
	}
	return nil, 0, 0, 0, errors.New("no foot")
}

// writeDirectory leaves a run of several intervals and a drain in a directory, as a generator does. The values of some
// intervals are far from those of others, and some lie beyond the range of the histograms.
func writeDirectory(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	files, err := CreateDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := files.Start(time.UnixMilli(1_700_000_000_000)); err != nil {
		t.Fatal(err)
	}
	collector := NewCollector(1, files)
	set := NewSet()
	for i := range 5 {
		set.Reset()
		set.Interval, set.Drain = i, i == 4
		set.Start, set.End = time.Duration(i)*time.Second, time.Duration(i+1)*time.Second
		for n, d := range samples(uint64(20+i), 3000) {
			d *= time.Duration(1 + i*n%7)
			set.Send(0, d/20, 1)
			set.Answer(0, d/20, d, 1)
		}
		set.Answer(0, 0, time.Hour, 2)
		set.Counts.OK, set.Counts.Scheduled = 3002, 3002
		collector.Add(set)
	}
	total, rows, err := collector.Close()
	if err != nil {
		t.Fatal(err)
	}
	result := &Result{Schema: Schema, Verdict: Valid}
	if err := result.SetFigures(total); err != nil {
		t.Fatal(err)
	}
	if err := files.Finish(result, rows, total); err != nil {
		t.Fatal(err)
	}
	return dir
}

// readLog returns the sum of all intervals of a log by tag, as HdrHistogram's own reader decodes them.
func readLog(t *testing.T, path string) map[string]*hdrhistogram.Histogram {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	sums := make(map[string]*hdrhistogram.Histogram)
	for reader := hdrhistogram.NewHistogramLogReader(file); ; {
		h, err := reader.NextIntervalHistogram()
		if err != nil {
			t.Fatal(err)
		}
		if h == nil {
			return sums
		}
		if sums[h.Tag()] == nil {
			sums[h.Tag()] = hdrhistogram.New(lowestNs, highestNs, significantDigits)
		}
		if dropped := sums[h.Tag()].Merge(h); dropped != 0 {
			t.Fatalf("%s: %d observations dropped", h.Tag(), dropped)
		}
	}
}

// The interval log, the percentile tables and the histograms in result.json, which are written one by one, tell the
// same: line by line, against the library's own reader and its own percentiles.
func TestFilesOfARunAgree(t *testing.T) {
	dir := writeDirectory(t)
	result, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	set, err := result.HDR.Set()
	if err != nil {
		t.Fatal(err)
	}
	sums := readLog(t, filepath.Join(dir, LogFile))
	for _, part := range []struct {
		tag, table string
		decoded    *Histogram
	}{{TagIntended, IntendedFile, set.Intended}, {TagService, ServiceFile, set.Service}, {TagSendLag, SendLagFile, set.SendLag}} {
		logged := sums[part.tag]
		if logged == nil || !logged.Equals(part.decoded.hdr) {
			t.Errorf("%s: the log and result.json have different histograms", part.tag)
			continue
		}
		table, err := os.ReadFile(filepath.Join(dir, part.table))
		if err != nil {
			t.Fatal(err)
		}
		var again bytes.Buffer
		if _, err := logged.PercentilesPrint(&again, UsualTicks, 1e6); err != nil || !bytes.Equal(table, again.Bytes()) {
			t.Errorf("%s differs from the library's table of the log (%v)", part.table, err)
		}
		checkTable(t, part.table, table, logged, part.decoded)
	}
}

// checkTable compares each row of a table with the value that result.json's histogram has at the row's percentile, and
// with the number of observations that the log's has up to the row's value.
func checkTable(t *testing.T, name string, table []byte, h *hdrhistogram.Histogram, decoded *Histogram) {
	t.Helper()
	rows, mean, highest, total, err := readTable(bytes.NewReader(table))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	ms := func(ns int64) float64 { return math.Round(float64(ns)/1e3) / 1e3 }
	if total != h.TotalCount() || highest != ms(h.Max()) || math.Abs(mean-h.Mean()/1e6) > 0.001 {
		t.Errorf("%s: foot with mean %v, maximum %v, count %d", name, mean, highest, total)
	}
	if len(rows) < 40 || rows[len(rows)-1].count != total {
		t.Errorf("%s: %d rows, the last at %v", name, len(rows), rows[len(rows)-1])
	}
	bars := h.Distribution()
	const halfDigit = 500            // ns, what rounding to three decimals of a millisecond may hide
	const lastDigit = 100 * 0.000001 // percent, of the percentile column
	for _, row := range rows {
		ns := int64(math.Round(row.ms * 1e6))
		least, most := int64(decoded.Percentile(100*row.quantile-lastDigit)), int64(decoded.Percentile(min(100*row.quantile+lastDigit, 100)))
		if most == int64(decoded.Max()) {
			most = h.Max() // exact in result.json, in the table the end of its bucket
		}
		if ns < least-halfDigit || ns > most+halfDigit {
			t.Errorf("%s: %+v, result.json has %d to %d ns there", name, row, least, most)
		}
		fewest, all := observationsUpTo(bars, ns-halfDigit), observationsUpTo(bars, ns+halfDigit)
		if row.count < fewest || row.count > all {
			t.Errorf("%s: %+v, the library counts %d to %d up to there", name, row, fewest, all)
		}
		if rank := 1 - 1/row.inverse; math.Abs(rank-row.quantile) > 0.005 || row.count < int64(row.quantile*float64(total)-1) {
			t.Errorf("%s: %+v of %d contradicts itself", name, row, total)
		}
	}
}

// observationsUpTo counts the observations in buckets that end at or before a value.
func observationsUpTo(bars []hdrhistogram.Bar, ns int64) (n int64) {
	for _, bar := range bars {
		if bar.To <= ns {
			n += bar.Count
		}
	}
	return n
}
