package load

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
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
	for _, want := range []string{"memory has no get", "memory has no delete", "memory has no cas", "have no pages of status"} {
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

// teller is a memory of three nodes that tell how they are.
type teller struct {
	*memory
	looks atomic.Int64
	tell  func(look int64) ([]target.Observation, error)
}

func (o *teller) Observe(context.Context) ([]target.Observation, error) {
	return o.tell(o.looks.Add(1))
}

// nodes is a look at three nodes of which one leads; each has counted so much more at each look.
func nodes(look int64, leader int) []target.Observation {
	list := make([]target.Observation, 3)
	for i := range list {
		list[i] = target.Observation{Node: string(rune('a' + i)), Role: target.RoleFollower, Term: uint64(leader), PID: 7, Applied: 9, Digest: "d",
			CPU: time.Duration(look) * time.Second, Commands: 1000 * look, Batches: 10 * look, Syncs: 5 * look,
			Counters: map[string]float64{"wal writes": float64(3 * look)}, Version: "1.2", Config: map[string]string{"durability": "os"}}
	}
	list[leader-1].Role = target.RoleLeader
	return list
}

// What a driver tells of the nodes is in the result as what our replicas tell is; what it does not tell, of one node or of all, is said
// to be missing, and taken for nothing.
func TestDriverThatObserves(t *testing.T) {
	down := errors.New("connection refused")
	for _, tt := range []struct {
		name    string
		tell    func(look int64) ([]target.Observation, error)
		passed  map[string]string // outcomes of checks
		digests string
		known   []bool // which nodes have figures
	}{
		{"all is told", func(look int64) ([]target.Observation, error) { return nodes(look, 2), nil },
			map[string]string{"leader changes": "yes", "replicas": "yes"}, "equal", []bool{true, true, true}},
		{"another leads", func(look int64) ([]target.Observation, error) { return nodes(look, 1+int(min(look, 2))), nil },
			map[string]string{"leader changes": "NO", "replicas": "yes"}, "equal", []bool{true, true, true}},
		{"the order is another each time", func(look int64) ([]target.Observation, error) {
			list := nodes(look, 1)
			list[1], list[2] = list[1+look%2], list[2-look%2]
			return list, nil
		}, map[string]string{"leader changes": "yes", "replicas": "yes"}, "equal", []bool{true, true, true}},
		{"one is down", func(look int64) ([]target.Observation, error) {
			list := nodes(look, 2)
			list[2] = target.Observation{Node: "c", Err: down}
			return list, nil
		}, map[string]string{"leader changes": "yes", "replicas": "NO"}, "equal", []bool{true, true, false}},
		{"the leader is down", func(look int64) ([]target.Observation, error) {
			list := nodes(look, 2)
			list[1] = target.Observation{Node: "b", Err: down}
			return list, nil
		}, map[string]string{"leader changes": "not observed", "replicas": "NO"}, "equal", []bool{true, false, true}},
		{"one is forgotten later", func(look int64) ([]target.Observation, error) { return nodes(look, 1)[:3-min(1, look/2)], nil },
			map[string]string{"leader changes": "yes", "replicas": "NO"}, "equal", []bool{true, true, false}},
		{"one is found later", func(look int64) ([]target.Observation, error) { return nodes(look, 1)[:2+min(1, look/2)], nil },
			map[string]string{"leader changes": "yes", "replicas": "NO"}, "equal", []bool{true, true, false}},
		{"nothing is told", func(int64) ([]target.Observation, error) { return nil, down },
			map[string]string{"leader changes": "not observed", "replicas": "NO"}, record.DigestsUnseen, []bool{false}},
		{"nothing is told later", func(look int64) ([]target.Observation, error) {
			if look > 1 {
				return nil, down
			}
			return nodes(look, 1), nil
		}, map[string]string{"leader changes": "not observed", "replicas": "NO"}, record.DigestsUnseen, []bool{false, false, false}},
		{"two are one", func(look int64) ([]target.Observation, error) { return append(nodes(look, 1), nodes(look, 1)...), nil },
			map[string]string{"leader changes": "not observed", "replicas": "NO"}, record.DigestsUnseen, []bool{false, false, false}},
		{"states differ", func(look int64) ([]target.Observation, error) {
			list := nodes(look, 2)
			list[0].Digest = "e"
			return list, nil
		}, map[string]string{"verification": "NO", "replicas": "yes"}, "differ", []bool{true, true, true}},
	} {
		m := newMemory()
		cfg := drivenConfig(m)
		cfg.Warmup, cfg.Duration = 10*time.Millisecond, 100*time.Millisecond
		cfg.System = target.Of("memory", &teller{memory: m, tell: tt.tell})
		r := mustRun(t, cfg).Result
		m.done.Wait()
		for _, c := range r.Checks {
			if want, ok := tt.passed[c.Name]; ok && c.Outcome() != want {
				t.Errorf("%s: %s: %s, want %s: %s", tt.name, c.Name, c.Outcome(), want, c.Reason)
			}
		}
		var known []bool
		for i, node := range r.Replicas {
			known = append(known, node.Error == "" && node.CPUNsPerOp > 0 && node.Batch == 100 && node.Syncs > 0 && node.Deltas["wal writes"] == 3)
			if node.Error == "" && (int(node.ID) != i+1 || string(node.Version) != `"1.2"` || string(node.Config) != `{"durability":"os"}`) {
				t.Errorf("%s: %+v", tt.name, node)
			}
		}
		if !slices.Equal(known, tt.known) || r.Verification.Digests != tt.digests {
			t.Errorf("%s: figures of %v, want %v; digests %s; %+v", tt.name, known, tt.known, r.Verification.Digests, r.Replicas)
		}
	}
}
