//go:build linux

package main

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxQueuedLines bounds the lines that wait for the reader of standard error.
	maxQueuedLines = 1024
	// maxFlush bounds how long the end of the process waits for that reader.
	maxFlush = 500 * time.Millisecond
)

// logSink is where the log goes: a bounded queue, and a goroutine that writes it to out. Whoever logs never waits and
// hears of no error, because the reader of a log can be slow, stopped or gone, and none of that may hold up or end a
// replica. Lines that find the queue full, or that cannot be written, are lost; the next line that can be written is
// preceded by one that counts them.
type logSink struct {
	out    io.Writer
	notice slog.Handler // writes to out
	lines  chan []byte
	lost   atomic.Uint64

	mu     sync.RWMutex // guards closed: no line is queued after it
	closed bool
	done   chan struct{} // closed when the goroutine has written all
}

// newLogSink starts the goroutine. handler returns what formats a line for a writer.
func newLogSink(out io.Writer, handler func(io.Writer) slog.Handler) *logSink {
	s := &logSink{out: out, notice: handler(out), lines: make(chan []byte, maxQueuedLines), done: make(chan struct{})}
	go s.run()
	return s
}

// Write queues a copy of a line. It implements io.Writer, and any goroutine may call it.
func (s *logSink) Write(line []byte) (int, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return len(line), nil
	}
	select {
	case s.lines <- append([]byte(nil), line...):
	default:
		s.lost.Add(1)
	}
	return len(line), nil
}

func (s *logSink) run() {
	defer close(s.done)
	for line := range s.lines {
		if lost := s.lost.Load(); lost > 0 && s.report(lost) {
			s.lost.Add(^(lost - 1))
		}
		if _, err := s.out.Write(line); err != nil {
			s.lost.Add(1)
		}
	}
	if lost := s.lost.Load(); lost > 0 {
		s.report(lost)
	}
}

// report says how many lines are missing here, and whether it could.
func (s *logSink) report(lost uint64) bool {
	r := slog.NewRecord(time.Now(), slog.LevelWarn, "log lines lost: the reader of standard error was too slow or gone", 0)
	r.AddAttrs(slog.Uint64("lines", lost))
	return s.notice.Handle(context.Background(), r) == nil
}

// close waits until everything queued is written, but no longer than maxFlush: the goroutine may hang in a write, and
// ends with the process then.
func (s *logSink) close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.lines)
	}
	s.mu.Unlock()
	select {
	case <-s.done:
	case <-time.After(maxFlush):
	}
}
