package load

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"paxosbench/bench/record"
	"paxosbench/bench/target"
)

// memory is a system that is a map: it answers from a few goroutines, in no order. What it can do, and does wrong, is up to the test.
type memory struct {
	can    target.Capabilities
	mu     sync.Mutex
	values map[string]string
	done   sync.WaitGroup

	calls  atomic.Int64
	refuse func(n int64) error // of a call, by its number
	breaks func(n int64) bool  // the connection does, and the call takes effect later, or not at all
	wrong  func(n int64, value string) string
}

func newMemory() *memory {
	return &memory{values: make(map[string]string), can: target.Capabilities{Get: true, Delete: true, CompareAndSet: true, Sessions: true, Status: true}}
}

func (m *memory) Capabilities() target.Capabilities { return m.can }

func (m *memory) Connect(context.Context) (target.Conn, error) {
	return &memoryConn{memory: m, queue: make(chan *target.Call, 1024)}, nil
}

type memoryConn struct {
	*memory
	queue  chan *target.Call
	begun  bool
	broken atomic.Bool
}

func (c *memoryConn) Submit(calls []*target.Call) error {
	if c.broken.Load() {
		return errors.New("broken")
	}
	for !c.begun {
		c.begun = true
		for range 3 {
			c.done.Go(func() {
				for call := range c.queue {
					c.execute(call)
				}
			})
		}
	}
	for _, call := range calls {
		c.queue <- call
	}
	return nil
}

func (c *memoryConn) Close() error {
	close(c.queue)
	return nil
}

func (c *memoryConn) execute(call *target.Call) {
	n := c.calls.Add(1)
	if c.refuse != nil {
		if err := c.refuse(n); err != nil {
			call.Reject(err)
			return
		}
	}
	if c.breaks != nil && c.breaks(n) {
		key, value := string(call.Key), string(call.Value)
		if call.Op == target.Put && rand.IntN(2) == 0 {
			c.done.Go(func() { // long after others have written the key
				time.Sleep(20 * time.Millisecond)
				c.mu.Lock()
				defer c.mu.Unlock()
				c.values[key] = value
			})
		}
		c.broken.Store(true)
		call.Fail(errors.New("cut off"))
		return
	}
	status, value := c.apply(call)
	if c.wrong != nil && call.Op == target.Get {
		value = c.wrong(n, value)
	}
	call.Complete(status, []byte(value))
}

func (m *memory) apply(call *target.Call) (target.Status, string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	held, there := m.values[string(call.Key)]
	switch call.Op {
	case target.Put:
		m.values[string(call.Key)] = string(call.Value)
	case target.Get:
		if !there {
			return target.NotFound, ""
		}
		return target.OK, held
	case target.Delete:
		delete(m.values, string(call.Key))
		if !there {
			return target.NotFound, ""
		}
	case target.CompareAndSet:
		if call.Absent == there || there && held != string(call.Expected) {
			return target.Mismatch, ""
		}
		m.values[string(call.Key)] = string(call.Value)
	}
	return target.OK, ""
}

// drivenConfig is a short run against a system with a driver.
func drivenConfig(m *memory) *Config {
	cfg := shortConfig("")
	cfg.System, cfg.Addrs = target.Of("memory", m), nil
	cfg.Clients = 40
	return cfg
}

// What a driver says is measured and judged as what our own client says is, in an open and a closed loop, whatever the mix, over any
// number of threads; what nobody can observe is said to be not observed.
func TestDrivenSystem(t *testing.T) {
	for _, mix := range []string{"put:1", "put:0.5,get:0.5", "put:0.3,get:0.4,delete:0.1,cas:0.2"} {
		for _, open := range []bool{false, true} {
			m := newMemory()
			cfg := drivenConfig(m)
			parse(t, mix, &cfg.Mix)
			cfg.Threads, cfg.Preload = 2, mix != "put:1"
			if cfg.Open = open; open {
				cfg.Rate, cfg.Window = 5000, 0
			}
			r := mustRun(t, cfg).Result
			m.done.Wait()
			if v := r.Verification; v.Violations != 0 || v.Checked == 0 || v.ReadBack == 0 {
				t.Errorf("%s, open %v: %+v", mix, open, v)
			}
			if r.Ops.OK == 0 || r.Ops.OK != r.Ops.Sent || r.Config["system"] != "memory" {
				t.Errorf("%s, open %v: %+v", mix, open, r.Ops)
			}
			unobserved := ""
			for _, c := range r.Checks {
				if c.NotObserved {
					unobserved += c.Name + ";"
				}
			}
			if unobserved != "leader changes;replicas;" {
				t.Errorf("not observed: %s", unobserved)
			}
		}
	}
}

// Refusals and broken connections are accounted for, and an operation of unknown outcome that takes effect late makes no answer
// wrong; but a value that was never written does.
func TestDrivenSystemThatFails(t *testing.T) {
	for _, mix := range []string{"put:1", "put:0.5,get:0.5"} {
		m := newMemory()
		m.refuse = func(n int64) error {
			if n%100 == 7 {
				return errors.New("busy")
			}
			return nil
		}
		m.breaks = func(n int64) bool { return n%1000 == 13 }
		cfg := drivenConfig(m)
		parse(t, mix, &cfg.Mix)
		cfg.MaxErrors = 1
		r := mustRun(t, cfg).Result
		m.done.Wait()
		if r.Verification.Violations != 0 || r.Ops.Failed == 0 || r.Client.Busy == 0 || r.Client.Reconnects == 0 || r.Ops.OK == 0 {
			t.Errorf("%s: %+v, %+v, %+v", mix, r.Verification, r.Ops, r.Client)
		}
	}
	m := newMemory()
	m.wrong = func(n int64, value string) string {
		if n%500 == 0 && len(value) > 2 {
			return value[:2] + "?" + value[3:]
		}
		return value
	}
	cfg := drivenConfig(m)
	parse(t, "put:0.5,get:0.5", &cfg.Mix)
	r := mustRun(t, cfg).Result
	m.done.Wait()
	if r.Verification.Violations == 0 || r.Verdict != record.Invalid {
		t.Errorf("damaged values: %s, %+v", r.Verdict, r.Verification)
	}
}

// A system is not asked for what it cannot do, and what is not checked therefore is said.
func TestDrivenSystemOfPuts(t *testing.T) {
	m := newMemory()
	m.can = target.Capabilities{}
	cfg := drivenConfig(m)
	r := mustRun(t, cfg).Result
	m.done.Wait()
	if why := strings.Join(r.Verification.NotChecked, ";"); !strings.Contains(why, "the system has no gets") || r.Ops.OK == 0 {
		t.Errorf("%q, %+v", why, r.Ops)
	}
	parse(t, "put:0.4,get:0.2,delete:0.2,cas:0.2", &cfg.Mix)
	cfg.Admin = []string{"127.0.0.1:1"}
	err := cfg.Validate()
	for _, want := range []string{"memory has no get", "memory has no delete", "memory has no cas", "cannot be asked for their status"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	m.can.Get = true
	parse(t, "put:1", &cfg.Mix)
	cfg.Admin = nil
	r = mustRun(t, cfg).Result
	m.done.Wait()
	if why := strings.Join(r.Verification.NotChecked, ";"); !strings.Contains(why, "no compare-and-sets") || r.Verification.ReadBack == 0 {
		t.Errorf("%q, %+v", why, r.Verification)
	}
}

// A connection that says nothing any more is given up, and what was on it is not awaited for ever.
func TestDrivenSystemThatFallsSilent(t *testing.T) {
	m := newMemory()
	hung, hang := make(chan struct{}), atomic.Bool{}
	m.refuse = func(int64) error {
		if hang.CompareAndSwap(true, false) {
			<-hung
		}
		return nil
	}
	cfg := drivenConfig(m)
	cfg.StallTimeout, cfg.Conns, cfg.Clients = 50*time.Millisecond, 1, 1
	outcome, err := Run(context.Background(), cfg, nil, atFirstInterval(func() { hang.Store(true) }))
	close(hung)
	if err != nil {
		t.Fatal(err)
	}
	m.done.Wait()
	r := outcome.Result
	if r.Client.Stalls == 0 || r.Ops.Failed == 0 || r.Verification.Violations != 0 || r.Ops.OK == 0 { // a busy host is silent as well
		t.Errorf("%+v, %+v, %+v", r.Client, r.Ops, r.Verification)
	}
}
