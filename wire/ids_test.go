package wire

import (
	"testing"

	"pgregory.net/rapid"
)

func TestBallots(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		round := rapid.Uint64Max(1<<56-2).Draw(t, "round")
		id := ReplicaID(rapid.IntRange(1, MaxReplicas).Draw(t, "replica"))
		other := ReplicaID(rapid.IntRange(1, MaxReplicas).Draw(t, "other replica"))
		b := MakeBallot(round, id)
		if b.Round() != round || b.Replica() != id {
			t.Fatalf("%v made of round %d, replica %d", b, round, id)
		}
		if next := b.Next(other); next <= b || next.Replica() != other || next.Round() != round+1 {
			t.Fatalf("after %v replica %d has %v", b, other, next)
		}
		text, err := b.MarshalText()
		var again Ballot
		if err != nil || again.UnmarshalText(text) != nil || again != b {
			t.Fatalf("%v came back from %s as %v", b, text, again)
		}
	})
}

func TestBallotsOrderByRoundThenReplica(t *testing.T) {
	ordered := []Ballot{0, MakeBallot(0, 1), MakeBallot(0, 7), MakeBallot(1, 1), MakeBallot(1, 2), MakeBallot(256, 1)}
	for i := 1; i < len(ordered); i++ {
		if ordered[i-1] >= ordered[i] {
			t.Errorf("%v does not precede %v", ordered[i-1], ordered[i])
		}
	}
}

func TestBallotTextRefuses(t *testing.T) {
	for _, text := range []string{"", "7", "7.", ".2", "7.256", "-1.2", "7.2.1", "72057594037927936.1", "x.y"} {
		b := MakeBallot(9, 9)
		if err := b.UnmarshalText([]byte(text)); err == nil || b != MakeBallot(9, 9) {
			t.Errorf("%q: %v, %v", text, b, err)
		}
	}
}

func TestSessionIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tag, index := rapid.Uint64Range(0, 1<<44-1).Draw(t, "tag"), rapid.Uint32Range(0, MaxSessions-1).Draw(t, "index")
		if id := MakeSessionID(tag, index); id.Tag() != tag || id.Index() != index {
			t.Fatalf("%#x made of tag %d, index %d", uint64(id), tag, index)
		}
	})
}

func TestReads(t *testing.T) {
	for want, name := range map[Reads]string{ReadsLog: "log", ReadsIndex: "index", ReadsLease: "lease"} {
		var got Reads
		if err := got.UnmarshalText([]byte(name)); err != nil || got != want {
			t.Errorf("%q parsed as %v, %v", name, got, err)
		}
		if text, err := want.MarshalText(); err != nil || string(text) != name {
			t.Errorf("%v rendered as %q, %v", want, text, err)
		}
	}
	got := ReadsLease
	if err := got.UnmarshalText([]byte("Log")); err == nil || got != ReadsLease {
		t.Errorf("\"Log\" parsed as %v, %v", got, err)
	}
	if name := Reads(readsCount).String(); name != "Reads(3)" {
		t.Errorf("an unknown way is called %q", name)
	}
}
