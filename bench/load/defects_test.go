package load

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"paxosbench/bench/record"
	"paxosbench/wire"
	"paxosbench/wire/client/clienttest"
)

// atFirstInterval returns a progress that does something when the first interval of the measurement is over.
func atFirstInterval(do func()) Progress { return &once{do: do} }

type once struct{ do func() }

func (*once) Phase(string) {}
func (o *once) Interval(*record.Row) {
	if o.do != nil {
		o.do()
	}
	o.do = nil
}

// A load that only puts finds each of the defects, and says which check has found it. Chances are rare where they are many.
func TestEveryDefectIsFound(t *testing.T) {
	for _, defect := range clienttest.Defects {
		for _, dist := range []string{"uniform", "zipf:0.99"} {
			every := int64(2000)
			if defect == clienttest.CasMismatch || defect == clienttest.CasAnyway || defect == clienttest.ApplyTwice {
				every = 1
			}
			server := listen(t, clienttest.Config{})
			server.State().Damage(defect, every)
			cfg := shortConfig(server.Addr())
			cfg.Examine, cfg.Keys = 200*time.Millisecond, 1000
			cfg.KeyDist.UnmarshalText([]byte(dist))
			o, err := Run(context.Background(), cfg, nil, atFirstInterval(func() { // the leader changes
				server.State().LoseWrites(500)
				server.DisconnectAll()
			}))
			if err != nil {
				t.Fatal(err)
			}
			r := o.Result
			if r.Verification.Violations == 0 || r.Verdict != record.Invalid {
				t.Errorf("%s, %s: %+v", defect, dist, r.Verification)
				continue
			}
			t.Logf("%s, %s: %d times, %s", defect, dist, r.Verification.Violations, r.Verification.Reports[0])
		}
	}
}

// A leader that does not know acknowledged commands any more refuses what follows them for ever: that is wrong, and does not
// keep a session from going on.
func TestForgottenCommandsAreFound(t *testing.T) {
	server := listen(t, clienttest.Config{})
	cfg := shortConfig(server.Addr())
	cfg.Conns, cfg.Clients, cfg.Window = 1, 1, 1 // what is answered is not confirmed yet
	o, err := Run(context.Background(), cfg, nil, atFirstInterval(func() {
		server.State().ForgetCommands(1)
		server.DisconnectAll()
		server.State().ForgetCommands(1)
	}))
	if err != nil {
		t.Fatal(err)
	}
	v, last := o.Result.Verification, o.Rows[len(o.Rows)-2]
	if v.Violations == 0 || !strings.Contains(strings.Join(v.Reports, "\n"), "has a gap before it") || last.OK == 0 {
		t.Errorf("%+v; %d operations in the last interval", v, last.OK)
	}
}

// Nothing is wrong with a state without a defect, whatever the mix, and everything that was written is read back.
func TestSoundStateIsVouchedFor(t *testing.T) {
	for _, mix := range []string{"put:1", "put:0.5,get:0.5", "put:0.3,get:0.4,delete:0.1,cas:0.2"} {
		for _, dist := range []string{"uniform", "zipf:0.99"} {
			server := listen(t, clienttest.Config{})
			cfg := shortConfig(server.Addr())
			cfg.Preload, cfg.Threads, cfg.Examine = true, 2, 100*time.Millisecond
			cfg.Mix.UnmarshalText([]byte(mix))
			cfg.KeyDist.UnmarshalText([]byte(dist))
			o, err := Run(context.Background(), cfg, nil, atFirstInterval(server.DisconnectAll))
			if err != nil {
				t.Fatal(err)
			}
			v := o.Result.Verification
			if v.Violations != 0 || v.ReadBack < 1000 || v.Rounds < 100 || len(v.NotChecked) != 0 {
				t.Errorf("%s, %s: %+v", mix, dist, v)
			}
		}
	}
}

// A cluster that is too slow to be examined makes the run no failure, and what was not read is said: whether its connections take too
// long, or the question whether it keeps values at all, which is one get of each session, or the keys.
func TestExaminationThatTakesTooLong(t *testing.T) {
	defer func(before time.Duration) { auditTime = before }(auditTime)
	for _, tt := range []struct {
		time  time.Duration
		quick int64 // gets that are answered at once
	}{{1, 0}, {100 * time.Millisecond, 0}, {100 * time.Millisecond, 8}} {
		auditTime = tt.time
		var gets atomic.Int64
		server := listen(t, clienttest.Config{Window: 1, Intercept: func(run *wire.Run) (a clienttest.Action) {
			if c, _, err := wire.DecodeCommand(run.Commands); err == nil && c.Op == wire.OpGet && gets.Add(1) > tt.quick {
				a.Delay = 200 * time.Millisecond
			}
			return a
		}})
		cfg := shortConfig(server.Addr())
		cfg.Conns, cfg.Clients, cfg.Keys, cfg.Window = 1, 8, 1000, 1 // one at a time, so that most have not begun
		v := mustRun(t, cfg).Result.Verification
		if v.Violations != 0 || !strings.Contains(strings.Join(v.NotChecked, " "), "not all keys were read back: it would have taken more") {
			t.Errorf("%v, %d quick gets: %+v", tt.time, tt.quick, v)
		}
	}
}

// What was there before, by whomever it was written, is no fault of the replicas.
func TestValuesOfOthersAreNotHeldAgainstTheReplicas(t *testing.T) {
	server := listen(t, clienttest.Config{})
	for _, size := range []string{"3", "100", "8"} {
		for _, dist := range []string{"uniform", "zipf:0.99"} {
			cfg := shortConfig(server.Addr())
			cfg.Duration, cfg.Keys = 50*time.Millisecond, 50_000
			cfg.ValueSize.UnmarshalText([]byte(size))
			cfg.KeyDist.UnmarshalText([]byte(dist))
			if v := mustRun(t, cfg).Result.Verification; v.Violations != 0 || size == "8" && v.Foreign == 0 {
				t.Errorf("%s bytes, %s: %+v", size, dist, v)
			}
		}
	}
}

// What is not checked is said.
func TestWhatIsNotCheckedIsSaid(t *testing.T) {
	noop := listen(t, clienttest.Config{State: clienttest.NewNoopState()})
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no values", func(c *Config) { c.Addrs = []string{noop.Addr()} }, "keep no values"},
		{"short values", func(c *Config) { c.ValueSize.UnmarshalText([]byte("4")) }, "cannot be told apart"},
		{"other writers", func(c *Config) {
			c.Generator.Of = 2
			c.KeyDist.UnmarshalText([]byte("zipf:0.99"))
		}, "other generators write the same keys"},
		{"nothing to lose", func(c *Config) { c.Keys, c.Clients, c.Conns = 3, 2, 2 }, "two keys per session"},
	} {
		cfg := shortConfig(listen(t, clienttest.Config{}).Addr())
		cfg.Duration = 100 * time.Millisecond
		tt.change(cfg)
		v := mustRun(t, cfg).Result.Verification
		if v.Violations != 0 || !strings.Contains(strings.Join(v.NotChecked, "\n"), tt.want) {
			t.Errorf("%s: %+v", tt.name, v)
		}
	}
}
