//go:build linux

package main

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// reader is the far side of standard error: it takes lines once it is let, and may be gone.
type reader struct {
	let chan struct{} // closed: lines are taken

	mu   sync.Mutex
	gone bool
	text bytes.Buffer
}

func (r *reader) Write(line []byte) (int, error) {
	<-r.let
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone {
		return 0, errors.New("broken pipe")
	}
	return r.text.Write(line)
}

func (r *reader) set(gone bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone = gone
}

func textHandler(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) }

// A reader that does not read costs lines, not time; how many is said where they are missing.
func TestFullQueueDropsAndCounts(t *testing.T) {
	r := &reader{let: make(chan struct{})}
	s := newLogSink(r, textHandler)
	const lines = 3 * maxQueuedLines
	for range lines {
		if n, err := s.Write([]byte("line\n")); n != 5 || err != nil {
			t.Fatalf("Write: %d, %v", n, err)
		}
	}
	close(r.let)
	s.close()
	got := strings.Count(r.text.String(), "line\n")
	// One line more than the queue holds may have been taken off it.
	if got < maxQueuedLines || got > maxQueuedLines+1 {
		t.Errorf("%d lines were written, want %d or one more", got, maxQueuedLines)
	}
	reported := 0
	for _, count := range regexp.MustCompile(`lines=(\d+)`).FindAllStringSubmatch(r.text.String(), -1) {
		n, _ := strconv.Atoi(count[1]) // they are digits
		reported += n
	}
	if lost := lines - got; reported != lost {
		t.Errorf("%d lines are reported as lost, want %d", reported, lost)
	}
}

// A reader that has gone is no error to whoever logs, and one that comes back hears how much it has missed.
func TestGoneReader(t *testing.T) {
	r := &reader{let: make(chan struct{}), gone: true}
	close(r.let)
	s := newLogSink(r, textHandler)
	for range 10 {
		_, _ = s.Write([]byte("before\n"))
	}
	for s.lost.Load() < 10 {
		runtime.Gosched()
	}
	r.set(false)
	_, _ = s.Write([]byte("after\n"))
	s.close()
	_, _ = s.Write([]byte("too late\n"))
	if text := r.text.String(); !strings.Contains(text, "lines=10\nafter\n") || strings.Contains(text, "before") {
		t.Errorf("the reader sees:\n%s", text)
	}
}

// The end does not wait for a reader that never reads.
func TestCloseDoesNotHang(t *testing.T) {
	s := newLogSink(&reader{let: make(chan struct{})}, textHandler)
	_, _ = s.Write([]byte("line\n"))
	s.close()
	s.close()
}
