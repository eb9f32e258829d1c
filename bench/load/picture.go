package load

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"paxosbench/bench/record"
	"paxosbench/wire"
)

// illegalHistory is the history of a key that no order of the operations explains: as much of it as shows that.
type illegalHistory struct {
	key     uint64
	entries []*historyEntry
	cut     time.Duration
	others  bool
}

// pictureEntries is how many operations a picture begins with: what went wrong is among the last.
const pictureEntries = 50

// shorten finds the beginning of a history that is illegal already, and leaves out what is long over there: a picture of
// thousands of operations shows nothing. The value before it is unknown, which the model allows.
func (h *illegalHistory) shorten() {
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

// draw makes a page of the history, as porcupine draws it, with what was done to the cluster and who led it.
func (h *illegalHistory) draw(events []record.Event, m *measurement) ([]byte, error) {
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
	model.DescribeState = func(state any) string { return spellValue(state.(valueID)) }
	_, info := porcupine.CheckOperationsVerbose(model, operations, historyTimeout)
	var notes []porcupine.Annotation
	for _, e := range events {
		at := m.start + time.Duration(e.AtS*float64(time.Second))
		notes = append(notes, porcupine.Annotation{Tag: "done to the cluster", Start: int64(at), End: int64(at + time.Duration(e.TookS*float64(time.Second))),
			Description: eventText(&e), BackgroundColor: "#d55e00"})
	}
	for i, at := range []time.Duration{m.start, m.end} {
		notes = append(notes, porcupine.Annotation{Tag: "leader", Start: int64(at), Description: fmt.Sprintf("replica %d leads", m.leaders[i])})
	}
	info.AddAnnotations(notes)
	var page bytes.Buffer
	if err := porcupine.Visualize(model, info, &page); err != nil {
		return nil, fmt.Errorf("draw the history of key %d: %w", h.key, err)
	}
	return page.Bytes(), nil
}

// describeOperation says what was asked and what was answered.
func describeOperation(input, output any) string {
	in, out := input.(historyEntry), output.(registerOutput)
	text := in.op.String()
	switch in.op {
	case wire.OpPut:
		text += " " + spellValue(in.id)
	case wire.OpCompareAndSet:
		text += fmt.Sprintf(" %s to %s", spellValue(in.expected), spellValue(in.id))
	}
	switch {
	case !out.known:
		return text + ": not known"
	case in.op == wire.OpGet:
		return text + ": " + spellValue(out.found)
	}
	return fmt.Sprintf("%s: %v", text, out.status)
}

func spellValue(id valueID) string {
	switch id {
	case idAbsent:
		return "absent"
	case idUnknown:
		return "unknown"
	}
	return fmt.Sprintf("%x", uint64(id))
}
