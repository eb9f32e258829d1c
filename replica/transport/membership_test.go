package transport

import (
	"errors"
	"testing"

	"paxosbench/wire"
)

// memory returns what a transport's membership holds.
func memory(t *Transport) (m testMembership) {
	onLoop(t, func() { m = *t.cfg.Membership.(*testMembership) })
	return m
}

func members(ids ...wire.ReplicaID) (m wire.Members) {
	for _, id := range ids {
		m = m.With(id)
	}
	return m
}

// Three replicas that know no cluster found one, whose id the smallest draws, and each remembers that it has met the others,
// and they it, before anything is sent.
func TestFounding(t *testing.T) {
	addrs := map[wire.ReplicaID]string{1: "unused:1", 2: "unused:2", 3: "unused:3"}
	var ts []*Transport
	for id := wire.ReplicaID(1); id <= 3; id++ {
		cfg := peered(id, 1, "")
		cfg.Peers = map[wire.ReplicaID]string{}
		for other, addr := range addrs {
			if other != id {
				cfg.Peers[other] = addr
			}
		}
		cfg.Membership = &testMembership{founder: id == 1}
		tr, _ := start(t, cfg, newTestHandler())
		_, addr := tr.Addrs()
		addrs[id] = addr.String()
		ts = append(ts, tr)
	}
	for deadline := patienceEnds(); counters(ts[0]).Peers < 2 || counters(ts[1]).Peers < 2 || counters(ts[2]).Peers < 2; deadline.check(t, "all to be connected") {
	}
	first := memory(ts[0])
	for i, tr := range ts {
		m, others := memory(tr), members(1, 2, 3)&^members(wire.ReplicaID(i+1))
		if m.cluster == 0 || m.cluster != first.cluster || m.met != others || m.by != others {
			t.Errorf("replica %d remembers %+v, replica 1 %+v", i+1, m, first)
		}
	}
}

// answer connects the control lane as replica 2, and returns the hello that comes back.
func answer(t *testing.T, tr *Transport, h *wire.PeerHello) wire.PeerHello {
	t.Helper()
	_, addr := tr.Addrs()
	r := dial(t, addr)
	r.send(wire.AppendPeerHello(nil, h))
	header, frame := r.next()
	if header.Type != wire.TypePeerHello {
		t.Fatalf("got a %v frame %q", header.Type, frame)
	}
	got, err := wire.DecodePeerHello(frame[:header.Size], frame[header.Size:])
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// The founder waits for all members; if some do not come, for a while and a majority. Nobody else draws anything.
func TestFoundingWithoutAll(t *testing.T) {
	for _, tt := range []struct {
		name    string
		founder bool
		members int
		waited  bool
		rejoins wire.Members
		want    bool
	}{
		{"one of two others", true, 3, false, 0, false},
		{"one of two others, after a while", true, 3, true, 0, true},
		{"one of two others, after a while, but that rejoins", true, 3, true, members(1, 2, 3), false},
		{"one of three others, after a while", true, 4, true, 0, false},
		{"all", true, 2, false, 0, true},
		{"all, and the other rejoins", true, 2, false, members(1, 2), true},
		{"another replica", false, 2, true, 0, false},
	} {
		cfg := peered(1, 2, "unused:2")
		for id := 3; id <= tt.members; id++ {
			cfg.Peers[wire.ReplicaID(id)] = "unused:1"
		}
		cfg.Membership = &testMembership{founder: tt.founder}
		tr, _ := start(t, cfg, newTestHandler())
		if tt.waited {
			onLoop(tr, func() { tr.start = tr.start.Add(-2 * foundingPatience) })
		}
		nameless := peerHello()
		nameless.Cluster, nameless.Met = 0, tt.rejoins
		h := answer(t, tr, nameless)
		if m := memory(tr); h.Cluster != m.cluster || (m.cluster != 0) != tt.want {
			t.Errorf("%s: the answer names cluster %#x, remembered is %#x; want one: %v", tt.name, h.Cluster, m.cluster, tt.want)
		}
	}
}

// Who knows no cluster learns it from any replica that does.
func TestClusterIsLearnt(t *testing.T) {
	cfg := peered(1, 2, "unused:2")
	cfg.Membership = &testMembership{founder: true}
	tr, _ := start(t, cfg, newTestHandler())
	joinPeer(t, tr, peerHello())
	awaitPeer(t, tr, 2, 1)
	if m := memory(tr); m.cluster != testCluster || m.met != members(2) || m.by != 0 {
		t.Errorf("remembered is %+v", m)
	}
}

// A replica that has forgotten a peer which has said that it remembers it is refused, with the remedy, whether it is the other
// or this one, and whatever it says the cluster is. One that rejoins pretends to know everybody.
func TestLostDirectory(t *testing.T) {
	for _, tt := range []struct {
		name    string
		mine    testMembership
		cluster uint64
		met, by wire.Members
		texts   []string // none: it is welcome
	}{
		{"new to each other", testMembership{cluster: testCluster}, testCluster, 0, 0, nil},
		{"new, of no cluster yet", testMembership{cluster: testCluster}, 0, 0, 0, nil},
		{"known to each other", testMembership{cluster: testCluster, met: members(2), by: members(2)}, testCluster, members(1), members(1), nil},
		{"met, and stopped before it wrote that down", testMembership{cluster: testCluster, met: members(2)}, testCluster, 0, 0, nil},
		{"rejoining", testMembership{cluster: testCluster, met: members(2), by: members(2)}, 0, members(1, 2, 3), 0, nil},
		{"lost", testMembership{cluster: testCluster, met: members(2), by: members(2)}, testCluster, 0, 0,
			[]string{"replica 2 has been a member", "does not know replica 1", "--rejoin instead of --bootstrap"}},
		{"lost, of no cluster yet", testMembership{cluster: testCluster, met: members(2), by: members(2)}, 0, 0, 0,
			[]string{"replica 2 has been a member", "--rejoin"}},
		{"lost, and in a new cluster", testMembership{cluster: testCluster, met: members(2), by: members(2)}, 0xdead, 0, 0,
			[]string{"cluster-id: replica 2 has 57005, replica 1 has 193", "replica 2 has been a member", "--rejoin"}},
		{"of another cluster", testMembership{cluster: testCluster}, 0xdead, 0, 0, []string{"cluster-id: replica 2 has 57005, replica 1 has 193"}},
		{"this one lost", testMembership{founder: true}, testCluster, members(1), members(1),
			[]string{"replica 1 has been a member", "does not know replica 2", "--rejoin"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := peered(1, 2, "unused:2")
			before := tt.mine
			cfg.Membership = &tt.mine
			tr, _ := start(t, cfg, newTestHandler())
			h := peerHello()
			h.Cluster, h.Met, h.MetBy = tt.cluster, tt.met, tt.by
			if tt.texts == nil {
				answer(t, tr, h)
				if m := memory(tr); !m.met.Has(2) || m.by.Has(2) != (before.by.Has(2) || tt.met.Has(1)) {
					t.Errorf("remembered is %+v", m)
				}
				return
			}
			_, addr := tr.Addrs()
			r := dial(t, addr)
			r.send(wire.AppendPeerHello(nil, h))
			r.expectFault(tt.texts...)
			if m := memory(tr); m.met != before.met || m.by != before.by || m.cluster != before.cluster {
				t.Errorf("remembered is %+v, was %+v", m, before)
			}
			h.Cluster, h.Met, h.MetBy = 0, 0, 0 // another that is lost, too: the two must not found a cluster
			if before.founder && answer(t, tr, h).Cluster != 0 {
				t.Error("a replica that the others remember draws a new cluster's id")
			}
		})
	}
}

// What cannot be remembered has not happened: there is no connection.
func TestMembershipFails(t *testing.T) {
	cfg := peered(1, 2, "unused:2")
	cfg.Membership = &testMembership{cluster: testCluster, broken: errors.New("no disk")}
	tr, _ := start(t, cfg, newTestHandler())
	_, addr := tr.Addrs()
	r := dial(t, addr)
	r.send(wire.AppendPeerHello(nil, peerHello()))
	r.expectFault("no disk")
}

// FuzzIntroduce has any two hellos after one another change what is remembered in the allowed ways only: the cluster is set
// once, nothing is forgotten, and a hello that is refused leaves nothing behind.
func FuzzIntroduce(f *testing.F) {
	f.Add(uint64(0), uint8(0), uint8(0), true, uint64(0), uint8(0), uint8(0), uint8(2), uint64(7), uint8(1), uint8(1), uint8(3))
	f.Add(uint64(7), uint8(2), uint8(2), false, uint64(7), uint8(1), uint8(1), uint8(2), uint64(0), uint8(0), uint8(0), uint8(2))
	f.Fuzz(func(t *testing.T, cluster uint64, met, by uint8, founder bool, cluster1 uint64, met1, by1, from1 uint8, cluster2 uint64, met2, by2, from2 uint8) {
		m := &testMembership{cluster: cluster, founder: founder, met: wire.Members(met), by: wire.Members(by)}
		cfg := peered(1, 2, "unused:2")
		cfg.Peers[3], cfg.Membership = "unused:3", m
		tr, err := New(cfg, newTestHandler())
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range []wire.PeerHello{
			{Cluster: cluster1, Met: wire.Members(met1), MetBy: wire.Members(by1), From: wire.ReplicaID(from1), To: 1, Lane: wire.LaneControl, Settings: testSettings},
			{Cluster: cluster2, Met: wire.Members(met2), MetBy: wire.Members(by2), From: wire.ReplicaID(from2), To: 1, Lane: wire.LaneBulk, Settings: testSettings},
		} {
			before := *m
			if tr.checkHello(&link{}, &h) != nil {
				if *m != before {
					t.Fatalf("a hello that is refused changes %+v to %+v", before, *m)
				}
				continue
			}
			settled, err := tr.introduce(&h)
			if err != nil || before.cluster != 0 && m.cluster != before.cluster || m.met&before.met != before.met || m.by&before.by != before.by ||
				settled != (m.cluster != 0) || settled && !m.met.Has(h.From) || h.Cluster != 0 && m.cluster != h.Cluster {
				t.Fatalf("%+v changes %+v to %+v, settled %v, %v", h, before, *m, settled, err)
			}
		}
	})
}
