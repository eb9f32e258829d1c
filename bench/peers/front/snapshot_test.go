package front

import (
	"bytes"
	"log/slog"
	"testing"

	"paxosbench/wire"
)

func newFront(t *testing.T) *Front {
	t.Helper()
	f, err := New(Config{ID: 1, ClientAddr: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

// entry is one of another node's: a registration, or puts of a session.
func entry(t *testing.T, f *Front, body []byte) []byte {
	t.Helper()
	e := append(appendTicket(nil, 1), body...)
	if err := f.Apply(e); err != nil {
		t.Fatal(err)
	}
	return e
}

// A node that goes on from a snapshot is like one that has executed everything, and what was fixed is not what came later.
func TestSnapshot(t *testing.T) {
	whole, restored := newFront(t), newFront(t)
	leader := leadership{stamp: 1}
	if err := whole.Apply(announcement(3, "127.0.0.1:3")); err != nil {
		t.Fatal(err)
	}
	register := &wire.Run{First: 1, Count: 1, Commands: wire.AppendCommand(nil, wire.OpRegister, 0, nil, nil)}
	entry(t, whole, leader.appendRun(nil, register))
	snapshot, err := whole.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	later := entry(t, whole, leader.appendRun(nil, register))
	var saved bytes.Buffer
	if _, err := snapshot.WriteTo(&saved); err != nil {
		t.Fatal(err)
	}
	if err := restored.Restore(&saved); err != nil {
		t.Fatal(err)
	}
	if _, applied := restored.Digest(); applied != 1 {
		t.Errorf("restored after entry %d, want 1", applied)
	}
	if err := restored.Apply(later); err != nil {
		t.Fatal(err)
	}
	wantDigest, want := whole.Digest()
	if digest, applied := restored.Digest(); digest != wantDigest || applied != want {
		t.Errorf("digest %x after entry %d, want %x after %d", digest, applied, wantDigest, want)
	}
	restored.SetLeader(7, 3)
	if r := restored.redirection(); r.Leader != 3 || r.LeaderAddr != "127.0.0.1:3" || r.Ballot.Round() != 7 {
		t.Errorf("clients are sent to %+v", r)
	}
}

// What is no entry, or none of a snapshot, is refused.
func TestDamage(t *testing.T) {
	f := newFront(t)
	for _, damaged := range [][]byte{{1, 2, 3}, appendTicket(nil, 0), append(appendTicket(nil, 1), 1, 2, 3), announcement(9, "x")} {
		if f.Apply(damaged) == nil {
			t.Errorf("%x was taken for an entry", damaged)
		}
	}
	for _, damaged := range []string{"", "[]", "{}\n", "[]\nnothing"} {
		if f.Restore(bytes.NewReader([]byte(damaged))) == nil {
			t.Errorf("%q was taken for a snapshot", damaged)
		}
	}
	if _, applied := f.Digest(); applied != 0 {
		t.Errorf("%d entries were applied", applied)
	}
}
