package report

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/pprof/profile"

	"paxosbench/bench/flame"
)

// enlarge clicks a frame of half the width, searches for another, and goes back.
const enlarge = `(() => {
	const frame = name => Array.from(document.querySelectorAll("g.f")).find(g => g.querySelector("title").textContent.startsWith(name));
	const width = name => Math.round(frame(name).querySelector("rect").getBoundingClientRect().width);
	const before = width("half");
	frame("half").dispatchEvent(new MouseEvent("click", { bubbles: true }));
	const after = [width("half"), width("main"), width("other"), width("deep")];
	window.prompt = () => "^dee";
	dispatchEvent(new KeyboardEvent("keydown", { key: "f", ctrlKey: true }));
	const found = Array.from(document.querySelectorAll("g.found title"), t => t.textContent.split("\n")[0]);
	const note = document.querySelector("text.found").textContent;
	dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
	return { before, after, found, note, back: width("half") };
})()`

// TestFlameInBrowser wants a click on a frame to give it the whole width, a search to mark what it finds, and Escape to undo
// both.
func TestFlameInBrowser(t *testing.T) {
	place := func(id uint64, name string) *profile.Location {
		return &profile.Location{ID: id, Line: []profile.Line{{Function: &profile.Function{ID: id, Name: name}}}}
	}
	main, half, deep, other := place(1, "main"), place(2, "half"), place(3, "deep"), place(4, "other")
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "cpu", Unit: "nanoseconds"}}, Sample: []*profile.Sample{
		{Value: []int64{500}, Location: []*profile.Location{deep, half, main}}, {Value: []int64{500}, Location: []*profile.Location{other, main}},
	}}
	var svg bytes.Buffer
	if err := flame.Write(&svg, p, "flames"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "flames.svg")
	if err := os.WriteFile(path, svg.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	var heard complaints
	ctx := browser(t, heard.hear)
	if err := chromedp.Do(ctx, chromedp.Navigate("file://"+path)); err != nil {
		t.Fatal(err)
	}
	got := evaluated[struct {
		Before int      `json:"before"`
		After  []int    `json:"after"`
		Found  []string `json:"found"`
		Note   string   `json:"note"`
		Back   int      `json:"back"`
	}](t, ctx, enlarge)
	if got.After[0] < 2*got.Before-2 || got.After[1] != got.After[0] || got.After[2] != 0 || got.After[3] != got.After[0] || got.Back != got.Before {
		t.Errorf("enlarged: %+v", got)
	}
	if len(got.Found) != 1 || got.Found[0] != "deep" || got.Note != "^dee: 1 frames, 50.0 %" {
		t.Errorf("found: %v, %q", got.Found, got.Note)
	}
	if heard.Lock(); len(heard.list) > 0 {
		t.Errorf("the browser complains: %s", strings.Join(heard.list, "; "))
	}
}
