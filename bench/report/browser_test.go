package report

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser starts a headless browser that tells what happens in it, or skips the test on a machine that has none.
func browser(t *testing.T, hear func(any)) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium here to look at the report with: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.WindowSize(1200, 1600))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses to run as root with its sandbox
	}
	allocator, stopAllocator := chromedp.NewExecAllocator(t.Context(), options...)
	ctx, stop := chromedp.NewContext(allocator, chromedp.WithListener(hear))
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	t.Cleanup(func() { cancel(); stop(); stopAllocator() })
	return ctx
}

// complaints gathers what the browser holds against a page: errors, and anything it fetched.
type complaints struct {
	sync.Mutex
	list []string
}

func (c *complaints) add(format string, args ...any) {
	c.Lock()
	defer c.Unlock()
	c.list = append(c.list, fmt.Sprintf(format, args...))
}

func (c *complaints) hear(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		c.add("exception: %s %s", e.ExceptionDetails.Text, e.ExceptionDetails.Exception.Description)
	case *runtime.EventConsoleAPICalled:
		c.add("console: %s", e.Type)
	case *log.EventEntryAdded:
		c.add("log: %s", e.Entry.Text)
	case *network.EventRequestWillBeSent:
		if url := e.Request.URL; !strings.HasPrefix(url, "file:") && !strings.HasPrefix(url, "data:") {
			c.add("request: %s", url)
		}
	}
}

// look is what the page says about itself when its second column of ratios has been sorted one way and then the other.
const look = `(() => {
	const keys = () => Array.from(document.querySelectorAll("#adaptive tbody tr")).map(r => Number(r.cells[1].dataset.key));
	const heading = document.querySelectorAll("#adaptive th")[1];
	heading.click();
	const up = keys();
	heading.click();
	const canvases = Array.from(document.querySelectorAll(".chart canvas"));
	const painted = c => c.getContext("2d").getImageData(0, 0, c.width, c.height).data.some(v => v);
	const box = document.querySelector(".chart .u-over").getBoundingClientRect();
	return {
		charts: canvases.length, blank: canvases.filter(c => !painted(c)).length, up, down: keys(),
		wide: document.documentElement.scrollWidth - document.documentElement.clientWidth, chart: box.width,
		scopes: Array.from(document.querySelectorAll("th")).filter(h => h.scope !== "col").length,
		paper: getComputedStyle(document.body).backgroundColor,
	};
})()`

// use is what comes of a pointer over the first chart and of its toggles, and the address that the chart has then.
const use = `(() => {
	const chart = document.querySelector(".chart"), over = chart.querySelector(".u-over"), tip = chart.querySelector(".tip");
	const box = over.getBoundingClientRect(), told = new Set();
	for (let x = 0; x < box.width; x += 10) for (let y = 0; y < box.height; y += 10) {
		over.dispatchEvent(new PointerEvent("pointermove", { clientX: box.left + x, clientY: box.top + y, bubbles: true }));
		if (tip.classList.contains("on")) told.add(tip.textContent);
	}
	const press = text => Array.from(chart.querySelectorAll(".bar button")).find(b => b.textContent === text).click();
	press("batch count:64");
	press("logarithmic");
	const pressed = Array.from(chart.querySelectorAll(".bar button"), b => b.textContent + "=" + b.getAttribute("aria-pressed"));
	let file = "";
	HTMLAnchorElement.prototype.click = function () { file = this.download + " " + decodeURIComponent(this.href).slice(0, 60); };
	document.querySelector("#depth .csv").click();
	return { told: Array.from(told), pressed, address: location.hash, file };
})()`

type seen struct {
	Charts int       `json:"charts"`
	Blank  int       `json:"blank"`
	Up     []float64 `json:"up"`
	Down   []float64 `json:"down"`
	Wide   float64   `json:"wide"`
	Chart  float64   `json:"chart"`
	Scopes int       `json:"scopes"`
	Paper  string    `json:"paper"`
}

type used struct {
	Told    []string `json:"told"`
	Pressed []string `json:"pressed"`
	Address string   `json:"address"`
	File    string   `json:"file"`
}

// named has places with names that a narrow page has no room for side by side.
const named = `
name: named
title: Long names
question: Is every name read?
axes:
  variant: ["unreplicated, 4 x 4096", "none, 4 x 4096", "none, noop, 4 x 4096", "fsync, 4 x 16384", "none, 4 x 256", "fsync, 1 x 1"]
fixed: {conns: 4, window: 1024}
repeats: 3
warmup: 1s
duration: 2s
graphs:
  - {name: bars, title: Throughput, kind: bars, x: variant, y: throughput}
`

// TestInBrowser looks at the report as readers do, on a wide and on a narrow screen, in a light and in a dark scheme: it loads
// without a complaint and without the network, charts are painted and no wider than the page, a column sorts at a click, a
// pointer is told what it is over, series can be switched off, and the address that is left shows the same again. With
// PAXOSBENCH_PICTURES set to a directory pictures stay there.
func TestInBrowser(t *testing.T) {
	dir := results(t, mixed)
	written(t, dir)
	var heard complaints
	ctx := browser(t, heard.hear)
	_, networkErr := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	_, logErr := chromedp.Call(ctx, log.Enable, cdp.Empty{})
	if err := errors.Join(networkErr, logErr); err != nil {
		t.Fatal(err)
	}
	page := "file://" + filepath.Join(dir.Path, ReportFile)
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1400, 400} {
			opened(t, ctx, page, scheme, width)
			judge(t, fmt.Sprintf("%d wide, %s", width, scheme), evaluated[seen](t, ctx, look), scheme == "dark")
			photograph(t, ctx, fmt.Sprintf("report-%d-%s.png", width, scheme))
		}
	}
	opened(t, ctx, page, "light", 1400)
	u := evaluated[used](t, ctx, use)
	if told := strings.Join(u.Told, "|"); !strings.Contains(told, "batch adaptive, pipeline 16\nthroughput: ") || !strings.Contains(told, "held in 6 of 6") ||
		!strings.Contains(told, "interval: ") || !strings.Contains(told, "runs: ") {
		t.Errorf("a pointer is told %q", told)
	}
	if !slices.Contains(u.Pressed, "batch count:64=false") || !slices.Contains(u.Pressed, "logarithmic=false") || u.Address != "#depth&hide=1&log=0" {
		t.Errorf("after toggling: %v at %s", u.Pressed, u.Address)
	}
	if !strings.HasPrefix(u.File, `depth.csv data:text/csv;charset=utf-8,"batch","pipeline"`) {
		t.Errorf("a table is saved as %s", u.File)
	}
	opened(t, ctx, "about:blank", "light", 1400)
	opened(t, ctx, page+u.Address, "light", 1400)
	const state = `Array.from(document.querySelectorAll("#depth .bar button"), b => b.textContent + "=" + b.getAttribute("aria-pressed"))`
	if again := evaluated[[]string](t, ctx, state); !slices.Equal(again, u.Pressed) {
		t.Errorf("the address shows %v, and was left with %v", again, u.Pressed)
	}
	zoom(t, ctx, page)
	curves(t, ctx, page)
	legible(t, ctx, page)
	long := results(t, named)
	written(t, long)
	legible(t, ctx, "file://"+filepath.Join(long.Path, ReportFile))
	if heard.Lock(); len(heard.list) > 0 {
		t.Errorf("the browser complains: %s", strings.Join(heard.list, "; "))
	}
}

// zoom draws the pointer over a part of a chart, as a reader's hand would, which then fills the chart and is in its address;
// and has the whole of it back at the press of a button.
func zoom(t *testing.T, ctx context.Context, page string) {
	t.Helper()
	opened(t, ctx, page, "light", 1400)
	const area = `(() => { const b = document.querySelector("#depth .u-over").getBoundingClientRect(); return [b.left, b.top, b.width, b.height]; })()`
	box := evaluated[[]float64](t, ctx, area)
	x, y := box[0]+0.3*box[2], box[1]+0.5*box[3]
	err := chromedp.Do(ctx, chromedp.MouseEvent(input.DispatchMouseEventTypeMousePressed, x, y, chromedp.ButtonLeft))
	for _, at := range []float64{0.4, 0.5, 0.6} {
		x = box[0] + at*box[2]
		err = errors.Join(err, chromedp.Do(ctx, chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x, y, chromedp.ButtonLeft)))
	}
	if err = errors.Join(err, chromedp.Do(ctx, chromedp.MouseEvent(input.DispatchMouseEventTypeMouseReleased, x, y, chromedp.ButtonLeft))); err != nil {
		t.Fatal(err)
	}
	const state = `(() => {
		const whole = Array.from(document.querySelectorAll("#depth .bar button")).find(b => b.textContent === "whole");
		const zoomed = location.hash;
		if (whole) whole.click();
		return [zoomed, location.hash, String(Boolean(whole))];
	})()`
	got := evaluated[[]string](t, ctx, state)
	var from, to float64
	if _, err := fmt.Sscanf(got[0], "#depth&x=%g,%g", &from, &to); err != nil || from >= to || got[1] != "#depth" || got[2] != "true" {
		t.Errorf("after drawing over a chart, and then the whole: %q", got)
	}
	opened(t, ctx, "about:blank", "light", 1400)
	opened(t, ctx, page+got[0], "light", 1400)
	photograph(t, ctx, "report-zoomed.png")
	if again := evaluated[[]string](t, ctx, state); again[0] != got[0] || again[2] != "true" {
		t.Errorf("the address %s shows %q", got[0], again)
	}
}

// curves looks at the distribution at both widths, in both schemes: single runs are drawn, fainter than the medians, and not when they
// are switched off; a pointer is told share, time and runs.
func curves(t *testing.T, ctx context.Context, page string) {
	t.Helper()
	const inked = `(() => {
		const c = document.querySelector("#distribution canvas"), d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
		let [faint, full] = [0, 0];
		for (let i = 0; i < d.length; i += 4) if (d[i + 2] > d[i] + 60) d[i + 3] > 200 ? full++ : faint++;
		return [faint, full];
	})()`
	const told = `(() => {
		const chart = document.querySelector("#distribution .chart"), over = chart.querySelector(".u-over"), tip = chart.querySelector(".tip");
		const box = over.getBoundingClientRect(), told = new Set();
		for (let x = 0; x < box.width; x += 10) for (let y = 0; y < box.height; y += 10) {
			over.dispatchEvent(new PointerEvent("pointermove", { clientX: box.left + x, clientY: box.top + y, bubbles: true }));
			if (tip.classList.contains("on")) told.add(tip.textContent);
		}
		return Array.from(told).join("|");
	})()`
	const medians = `(() => {
		Array.from(document.querySelectorAll("#distribution .bar button")).find(b => b.textContent === "single runs").click();
		return location.hash;
	})()`
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1400, 400} {
			opened(t, ctx, "about:blank", scheme, width)
			opened(t, ctx, page, scheme, width)
			all := evaluated[[]int](t, ctx, inked)
			if told := evaluated[string](t, ctx, told); !strings.Contains(told, "answered: 50 %") || !strings.Contains(told, "latency from when due ") || !strings.Contains(told, "runs: ") {
				t.Errorf("%d wide, %s: a pointer is told %q", width, scheme, told)
			}
			address, alone := evaluated[string](t, ctx, medians), evaluated[[]int](t, ctx, inked)
			if 10*all[0] < 11*alone[0] || alone[1] == 0 || all[1] < alone[1]/2 || address != "#distribution&hide=6,7,8&runs=0" {
				t.Errorf("%d wide, %s: %v faint and full pixels with single runs, %v without, at %s", width, scheme, all, alone, address)
			}
		}
	}
	opened(t, ctx, page+"#distribution", "light", 1400)
	photograph(t, ctx, "report-distribution.png")
}

// legible looks at what is written in the charts, at both widths: none of it is cut off at an edge, and none covers another.
func legible(t *testing.T, ctx context.Context, page string) {
	t.Helper()
	const listen = `(() => {
		const paper = CanvasRenderingContext2D.prototype, { fillText, clearRect } = paper;
		paper.clearRect = function (...all) { this.canvas.words = []; return clearRect.apply(this, all); };
		paper.fillText = function (text, x, y) {
			const wide = this.measureText(text).width, high = parseFloat(this.font), m = this.getTransform();
			const left = x - (this.textAlign === "center" ? wide / 2 : this.textAlign === "right" ? wide : 0);
			const top = y - (this.textBaseline === "top" ? 0 : this.textBaseline === "middle" ? high / 2 : high);
			const corners = [[left, top], [left + wide, top + high]].map(([a, b]) => m.transformPoint(new DOMPoint(a, b)));
			const [xs, ys] = [corners.map((c) => c.x).sort((a, b) => a - b), corners.map((c) => c.y).sort((a, b) => a - b)];
			this.canvas.words.push({ text, left: xs[0], right: xs[1], top: ys[0], bottom: ys[1] });
			return fillText.call(this, text, x, y);
		};
		for (const bar of document.querySelectorAll(".bar")) Array.from(bar.children).find((b) => ["single runs", "logarithmic"].includes(b.textContent)).click();
		return true;
	})()`
	const wrong = `(() => {
		const list = [];
		for (const canvas of document.querySelectorAll(".chart canvas")) {
			const words = canvas.words.filter((w) => w.text);
			list.push(...words.filter((w) => w.left < -1 || w.right > canvas.width + 1 || w.top < -1 || w.bottom > canvas.height + 1).map((w) => w.text + " is cut off"));
			words.forEach((a, i) => words.slice(i + 1).forEach((b) => {
				const [wide, high] = [Math.min(a.right, b.right) - Math.max(a.left, b.left), Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)];
				if (wide > 2 && high > 3) list.push(a.text + " covers " + b.text);
			}));
			if (words.length < 5) list.push("there are only " + words.length + " words");
		}
		for (const over of document.querySelectorAll(".chart .u-over")) if (over.clientHeight < 120) list.push("a chart is " + over.clientHeight + " high");
		return list;
	})()`
	for _, width := range []int64{1400, 400} {
		opened(t, ctx, "about:blank", "light", width)
		opened(t, ctx, page, "light", width)
		evaluated[bool](t, ctx, listen)
		if list := evaluated[[]string](t, ctx, wrong); len(list) > 0 {
			t.Errorf("%d wide: %s", width, strings.Join(list, "; "))
		}
	}
}

func opened(t *testing.T, ctx context.Context, page, scheme string, width int64) {
	t.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media)
	if err = errors.Join(err, chromedp.Do(ctx, chromedp.EmulateViewport(width, 1600)), chromedp.Do(ctx, chromedp.Navigate(page))); err != nil {
		t.Fatal(err)
	}
}

func evaluated[T any](t *testing.T, ctx context.Context, program string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](program))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func judge(t *testing.T, how string, page seen, dark bool) {
	t.Helper()
	if page.Charts != 3 || page.Blank != 0 || page.Wide > 0 || page.Chart < 250 || page.Scopes != 0 {
		t.Errorf("%s: %+v", how, page)
	}
	down := slices.Clone(page.Down)
	slices.Reverse(down)
	if len(page.Up) != 3 || !slices.IsSorted(page.Up) || !slices.Equal(page.Up, down) {
		t.Errorf("%s: sorted: %v, and the other way: %v", how, page.Up, page.Down)
	}
	if (page.Paper == "rgb(255, 255, 255)") == dark {
		t.Errorf("%s: the paper is %s", how, page.Paper)
	}
}

func photograph(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	keep := os.Getenv("PAXOSBENCH_PICTURES")
	if keep == "" {
		return
	}
	picture, err := chromedp.Run(ctx, chromedp.Screenshot(chromedp.CSS("html")))
	if err = errors.Join(err, os.WriteFile(filepath.Join(keep, name), picture, 0o644)); err != nil {
		t.Fatal(err)
	}
}
