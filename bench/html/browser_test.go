package html

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
		c.add("exception: %s", e.ExceptionDetails.Text)
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
	const svgs = Array.from(document.querySelectorAll("figure svg"));
	const heading = document.querySelectorAll("#adaptive th")[1];
	heading.click();
	const up = keys();
	heading.click();
	return {pictures: svgs.length, narrow: svgs.filter(s => s.getBoundingClientRect().width < 500).length, up, down: keys()};
})()`

// TestInBrowser looks at the report as a reader would: it loads without a complaint, the graphs are there and as wide as
// the page, and a column sorts at a click. With PAXOSBENCH_PICTURES set to a directory a picture stays there.
func TestInBrowser(t *testing.T) {
	dir := results(t, mixed)
	written(t, dir)
	var heard complaints
	ctx := browser(t, heard.hear)
	_, networkErr := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	_, logErr := chromedp.Call(ctx, log.Enable, cdp.Empty{})
	if err := errors.Join(networkErr, logErr, chromedp.Do(ctx, chromedp.Navigate("file://"+filepath.Join(dir.Path, ReportFile)))); err != nil {
		t.Fatal(err)
	}
	type seen struct {
		Pictures int       `json:"pictures"`
		Narrow   int       `json:"narrow"`
		Up       []float64 `json:"up"`
		Down     []float64 `json:"down"`
	}
	page, err := chromedp.Run(ctx, chromedp.Evaluate[seen](look))
	if err != nil {
		t.Fatal(err)
	}
	if heard.Lock(); len(heard.list) > 0 {
		t.Errorf("the browser complains: %s", strings.Join(heard.list, "; "))
	}
	if page.Pictures != 2 || page.Narrow != 0 {
		t.Errorf("%d pictures, of which %d too narrow; want 2 and 0", page.Pictures, page.Narrow)
	}
	down := slices.Clone(page.Down)
	slices.Reverse(down)
	if len(page.Up) != 3 || !slices.IsSorted(page.Up) || !slices.Equal(page.Up, down) {
		t.Errorf("sorted: %v, and the other way: %v", page.Up, page.Down)
	}
	if keep := os.Getenv("PAXOSBENCH_PICTURES"); keep != "" {
		picture, err := chromedp.Run(ctx, chromedp.Screenshot(chromedp.CSS("html")))
		if err = errors.Join(err, os.WriteFile(filepath.Join(keep, "report.png"), picture, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}
