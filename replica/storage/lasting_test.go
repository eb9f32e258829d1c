package storage_test

import (
	"errors"
	"testing"
	"time"

	"paxosbench/replica/journal"
)

// A lease of an earlier life counts until it has expired, and only then does the next life not hear of it.
func TestGrantedLeaseOutlivesTheLife(t *testing.T) {
	d := newDisk()
	d.lease = 3 * time.Second
	if l := begin(t, d); l.GrantedLease() != 0 {
		t.Errorf("a first life hears of a lease of %v", l.GrantedLease())
	}
	d.lease = 0
	for _, lives := range []time.Duration{time.Second, 3 * time.Second, 3*time.Second + 1} {
		d.FS = d.Crash(1)
		l := begin(t, d)
		if l.GrantedLease() != 3*time.Second {
			t.Fatalf("a lease of %v, want 3s", l.GrantedLease())
		}
		if until := l.replica.core.LeasedUntil(); until != 3*time.Second {
			t.Errorf("the protocol honours leases until %v", until)
		}
		l.runner.Time += lives
		l.Tick()
	}
	d.FS = d.Crash(1)
	if l := begin(t, d); l.GrantedLease() != 0 {
		t.Errorf("a lease of %v after one that has expired", l.GrantedLease())
	}
}

// A state that differs from the others' is not taken up again.
func TestDivergedStateIsRefused(t *testing.T) {
	d := newDisk()
	l := begin(t, d)
	if err := errors.Join(l.Diverged(5), l.Close()); err != nil {
		t.Fatal(err)
	}
	d.FS = d.Crash(1)
	_, err := tryBegin(t, d)
	if diverged, ok := errors.AsType[*journal.DivergedError](err); !ok || diverged.Slot != 5 {
		t.Errorf("it begins with %v", err)
	}
}
