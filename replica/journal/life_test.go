package journal_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"syscall"
	"testing"

	"paxosbench/replica/journal"
	"paxosbench/replica/journal/memfs"
)

// lives is a directory that is opened again and again, and checks what is forgotten.
type lives struct {
	t   *testing.T
	fs  *memfs.FS
	log bytes.Buffer
}

func newLives(t *testing.T) *lives { return &lives{t: t, fs: memfs.New()} }

// life opens the directory, expects the replica to be amnesiac or not, does what is to be done, and ends by a kill.
func (l *lives) life(d journal.Durability, amnesiac bool, flags func(*journal.Options), then ...func(*journal.Journal)) {
	l.t.Helper()
	l.log.Reset()
	noError(l.t, openAs(l.t, l.fs, func(opts *journal.Options) {
		opts.Durability, opts.Logger = d, slog.New(slog.NewTextHandler(&l.log, nil))
		flags(opts)
	}, append([]func(*journal.Journal){func(j *journal.Journal) {
		l.t.Helper()
		if j.Amnesiac() != amnesiac {
			l.t.Errorf("amnesiac: %v, want %v", j.Amnesiac(), amnesiac)
		}
	}}, then...)...))
	l.fs = l.fs.Crash(1)
}

// casts appends a record and has it made durable.
func casts(t *testing.T, f fact) func(*journal.Journal) {
	return func(j *journal.Journal) {
		j.Append(f.record())
		_, err := j.Flush()
		noError(t, err)
	}
}

func rejoins(t *testing.T) func(*journal.Journal) {
	return func(j *journal.Journal) {
		if err := j.Rejoined(); err != nil || j.Amnesiac() {
			t.Errorf("Rejoined: %v, amnesiac: %v", err, j.Amnesiac())
		}
	}
}

func rejoin(o *journal.Options) { o.Rejoin = true }

func acceptLoss(o *journal.Options) { o.AcceptLoss = true }

// TestAmnesiaIsOfVolatileVotes checks that only a vote that was cast in memory makes the next life one that has forgotten.
func TestAmnesiaIsOfVolatileVotes(t *testing.T) {
	l := newLives(t)
	l.life(journal.DurabilityNone, false, bootstrap)
	l.life(journal.DurabilityNone, false, unchanged, casts(t, fact{kind: 3, ballot: 9, slot: 1})) // learnt, no vote
	l.life(journal.DurabilityNone, false, unchanged, casts(t, promise(1)))
	l.life(journal.DurabilityNone, true, unchanged)
	l.life(journal.DurabilityNone, true, unchanged, rejoins(t))
	l.life(journal.DurabilityNone, true, unchanged) // what it had caught up with was in memory
	l.life(journal.DurabilityFsync, true, unchanged, casts(t, promise(2)))
	l.life(journal.DurabilityFsync, true, unchanged, rejoins(t))
	l.life(journal.DurabilityFsync, false, unchanged, casts(t, promise(3)))
	l.life(journal.DurabilityOS, false, unchanged, casts(t, promise(4)))
	l.life(journal.DurabilityFsync, false, unchanged)

	l = newLives(t)
	l.life(journal.DurabilityNone, false, bootstrap)
	l.life(journal.DurabilityFsync, false, unchanged, casts(t, accept(1, "one"))) // nothing was voted before
	l.life(journal.DurabilityFsync, false, unchanged)
}

// TestVolatileVoteIsRecordedBeforeItIsAnswered loses power at every step of the first Flush that has a vote in it, and of
// one that fails: whenever it has returned, the next life knows; and it costs one write a life.
func TestVolatileVoteIsRecordedBeforeItIsAnswered(t *testing.T) {
	volatile := func(o *journal.Options) { o.Durability = journal.DurabilityNone }
	fs := memfs.New()
	noError(t, openAs(t, fs, func(o *journal.Options) { volatile(o); o.Bootstrap = true }, func(j *journal.Journal) {
		casts(t, promise(1))(j)
		noError(t, openAs(t, fs.Crash(0), volatile, func(j *journal.Journal) {
			if !j.Amnesiac() {
				t.Error("a vote was forgotten in silence")
			}
		}))
		calls := fs.Calls()
		for slot := range 100 {
			casts(t, accept(1, strings.Repeat("x", slot)))(j)
		}
		if n := fs.Calls() - calls; n != 0 {
			t.Errorf("%d calls for votes after the first", n)
		}
	}))
	fs = memfs.New()
	opts := options(fs)
	volatile(&opts)
	j, err := openOnly(opts)
	noError(t, err)
	fs.SetHook(func(c memfs.Call) error {
		if c.Op == memfs.OpSync {
			return syscall.EIO
		}
		return nil
	})
	j.Append(promise(1).record())
	if lsn, err := j.Flush(); lsn != 0 || !errors.Is(err, syscall.EIO) {
		t.Errorf("a vote that could not be recorded: %d, %v", lsn, err)
	}
}

// TestFlagsBesideWholeData leaves flags in that an earlier start needed.
func TestFlagsBesideWholeData(t *testing.T) {
	for _, flags := range []func(*journal.Options){rejoin, bootstrap, acceptLoss} {
		l := newLives(t)
		l.life(journal.DurabilityFsync, false, bootstrap, casts(t, accept(1, "one")))
		l.life(journal.DurabilityFsync, false, flags)
		l.life(journal.DurabilityFsync, false, unchanged)
		l = newLives(t)
		l.life(journal.DurabilityFsync, true, rejoin)
		l.life(journal.DurabilityFsync, true, rejoin, rejoins(t))
		l.life(journal.DurabilityFsync, false, rejoin)
	}
}

// TestVolatileOverData refuses to run without durability over what has been voted, and nothing is lost.
func TestVolatileOverData(t *testing.T) {
	for _, kept := range []journal.Durability{journal.DurabilityFsync, journal.DurabilityOS} {
		l := newLives(t)
		l.life(kept, false, bootstrap, casts(t, accept(1, "one")))
		for _, flags := range []func(*journal.Options){unchanged, rejoin, bootstrap, acceptLoss} {
			err := openAs(t, l.fs, func(o *journal.Options) { flags(o); o.Durability = journal.DurabilityNone })
			var refused *journal.DurabilityError
			if !errors.As(err, &refused) || refused.Got != kept || !strings.Contains(err.Error(), "--durability fsync or os") {
				t.Errorf("none after %v: %v", kept, err)
			}
		}
		l.life(journal.DurabilityFsync, false, unchanged)
		if kept == journal.DurabilityOS && !strings.Contains(l.log.String(), "before=os now=fsync") {
			t.Errorf("the change of durability is not in the log: %s", &l.log)
		}
	}
}

// TestAcceptLoss makes a voter again of a replica that has forgotten: once, and loudly.
func TestAcceptLoss(t *testing.T) {
	l := newLives(t)
	l.life(journal.DurabilityFsync, true, rejoin)
	l.life(journal.DurabilityFsync, false, acceptLoss)
	if !strings.Contains(l.log.String(), "level=ERROR") || !strings.Contains(l.log.String(), "LOSS ACCEPTED") {
		t.Errorf("the log says %s", &l.log)
	}
	l.life(journal.DurabilityFsync, false, unchanged)

	// Left in, it does not accept what is forgotten later.
	l = newLives(t)
	l.life(journal.DurabilityNone, false, bootstrap, casts(t, promise(1)))
	l.life(journal.DurabilityNone, false, acceptLoss, casts(t, promise(1)))
	l.life(journal.DurabilityNone, true, acceptLoss)
	l.life(journal.DurabilityNone, true, acceptLoss)
	l.life(journal.DurabilityNone, true, unchanged)
	l.life(journal.DurabilityNone, false, acceptLoss)
}

// TestDiverged checks that a replica that has found its state to differ does not come back with it.
func TestDiverged(t *testing.T) {
	l := newLives(t)
	l.life(journal.DurabilityFsync, false, bootstrap, casts(t, accept(1, "one")), func(j *journal.Journal) { noError(t, j.Diverged(7)) })
	for _, flags := range []func(*journal.Options){unchanged, rejoin, bootstrap} {
		err := openAs(t, l.fs, flags)
		var diverged *journal.DivergedError
		if !errors.As(err, &diverged) || diverged.Slot != 7 || !strings.Contains(err.Error(), "--repair") {
			t.Errorf("%v", err)
		}
	}
	l.life(journal.DurabilityFsync, false, acceptLoss) // the operator knows that it is the others who are wrong
	l.life(journal.DurabilityFsync, false, unchanged)
}
