package verify

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"paxosbench/bench/load/workload"
	"paxosbench/wire"
)

// IllegalHistory is the history of a key that no order of the operations explains: as much of it as shows that.
type IllegalHistory struct {
	key     uint64
	entries []*historyEntry
	cut     time.Duration
	others  bool
}

// pictureEntries is how many operations a picture begins with: what went wrong is among the last.
const pictureEntries = 50

// shorten finds the beginning of a history that is illegal already, and leaves out what is long over there: a picture of
// thousands of operations shows nothing. The value before it is unknown, which the model allows.
func (h *IllegalHistory) shorten() {
	ordered := slices.Clone(h.entries)
	slices.SortFunc(ordered, func(a, b *historyEntry) int { return int(a.sent - b.sent) })
	wrong := func(entries []*historyEntry) bool {
		w, decided := checkKey(entries, h.cut, h.others)
		return decided && w != ""
	}
	low, high := 0, len(ordered) // the first low are not wrong, the first high are
	for high-low > 1 {
		if middle := (low + high) / 2; wrong(ordered[:middle]) {
			high = middle
		} else {
			low = middle
		}
	}
	for last := pictureEntries; last < high; last *= 2 {
		if part := ordered[high-last : high]; wrong(part) {
			h.entries = part
			return
		}
	}
	h.entries = ordered[:high]
}

// Note is something to show beside a history: when it was, in the time that operations are stamped with, and what.
type Note struct {
	Tag, Text, Colour string
	At, Took          time.Duration
}

// Draw makes a page of the history, as porcupine draws it, with notes such as what was done to the cluster and who led it.
func (h *IllegalHistory) Draw(notes []Note) ([]byte, error) {
	h.shorten()
	operations := make([]porcupine.Operation, len(h.entries))
	end := time.Duration(0)
	for i, e := range h.entries {
		operations[i] = e.porcupine(i, h.cut)
		end = max(end, e.sent)
		if e.answered {
			end = max(end, e.at)
		}
	}
	for i := range operations { // one that was never answered ends where the picture does
		operations[i].Return = min(operations[i].Return, int64(end)+1)
	}
	model := registerModel(h.others, recorded(h.entries))
	model.DescribeOperation = describeOperation
	model.DescribeState = func(state any) string { return spellValue(state.(workload.ValueID)) }
	_, info := porcupine.CheckOperationsVerbose(model, operations, historyTimeout)
	var annotations []porcupine.Annotation
	for _, n := range notes {
		annotations = append(annotations, porcupine.Annotation{Tag: n.Tag, Start: int64(n.At), End: int64(n.At + n.Took), Description: n.Text, BackgroundColor: n.Colour})
	}
	info.AddAnnotations(annotations)
	var page bytes.Buffer
	if err := porcupine.Visualize(model, info, &page); err != nil {
		return nil, fmt.Errorf("draw the history of key %d: %w", h.key, err)
	}
	return page.Bytes(), nil
}

// describeOperation says what was asked and what was answered.
func describeOperation(input, output any) string {
	in, out := input.(historyEntry), output.(registerOutput)
	text := in.Op.String()
	switch in.Op {
	case wire.OpPut:
		text += " " + spellValue(in.id)
	case wire.OpCompareAndSet:
		text += fmt.Sprintf(" %s to %s", spellValue(in.expected), spellValue(in.id))
	}
	switch {
	case !out.known:
		return text + ": not known"
	case in.Op == wire.OpGet:
		return text + ": " + spellValue(out.found)
	}
	return fmt.Sprintf("%s: %v", text, out.status)
}

func spellValue(id workload.ValueID) string {
	switch id {
	case workload.Absent:
		return "absent"
	case workload.Unknown:
		return "unknown"
	}
	return fmt.Sprintf("%x", uint64(id))
}
