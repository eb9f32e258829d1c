package peers

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"paxosbench/bench/load"
	"paxosbench/bench/load/verify"
	"paxosbench/bench/peers/front"
	"paxosbench/bench/record"
	"paxosbench/replica/transport/freeport"
	"paxosbench/wire"
)

// nodeVariable makes the test binary be a node instead, of the Config that it holds: a process that can be killed.
const nodeVariable = "PAXOSBENCH_TEST_PEER"

func TestMain(m *testing.M) {
	if text := os.Getenv(nodeVariable); text != "" {
		if err := serve(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	m.Run()
}

// serve is a node until SIGTERM.
func serve(text string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var cfg Config
	if err := json.Unmarshal([]byte(text), &cfg); err != nil {
		return err
	}
	node, err := Start(cfg)
	if err != nil {
		return err
	}
	<-ctx.Done()
	return node.Close()
}

// cluster is three nodes as processes.
type cluster struct {
	t         *testing.T
	configs   []Config
	processes []*exec.Cmd
	mu        sync.Mutex
}

// fewEntries between two snapshots let a short run take some.
const fewEntries = 200

func startCluster(t *testing.T, system string, durable, batching bool) *cluster {
	c := &cluster{t: t, processes: make([]*exec.Cmd, 3)}
	ports, dir := freeport.Reserve(t, 6), t.TempDir()
	members := map[wire.ReplicaID]string{}
	for i := range 3 {
		members[wire.ReplicaID(i+1)] = addrOf(ports[i])
	}
	for i := range 3 {
		c.configs = append(c.configs, Config{
			System: system, Client: addrOf(ports[3+i]), Batching: batching,
			Node: front.Node{
				ID: wire.ReplicaID(i + 1), Members: members, Durable: durable, Dir: filepath.Join(dir, strconv.Itoa(i+1)), SnapshotEntries: fewEntries,
			},
		})
		c.start(i)
	}
	t.Cleanup(func() {
		for i := range c.processes {
			c.end(i, syscall.SIGTERM)
		}
	})
	return c
}

func addrOf(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func (c *cluster) start(i int) {
	text, err := json.Marshal(c.configs[i])
	if err != nil {
		c.t.Fatal(err)
	}
	node := exec.Command(os.Args[0])
	node.Env = append(os.Environ(), nodeVariable+"="+string(text))
	node.Stderr = os.Stderr
	if err := node.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.processes[i] = node
}

// end ends a node, if it is up, and waits for that. One that is asked to end does so without an error.
func (c *cluster) end(i int, how syscall.Signal) {
	c.mu.Lock()
	node := c.processes[i]
	c.processes[i] = nil
	c.mu.Unlock()
	if node == nil {
		return
	}
	if err := node.Process.Signal(how); err != nil {
		c.t.Errorf("node %d ended by itself: %v", i+1, err)
	}
	if err := node.Wait(); err != nil && how != syscall.SIGKILL {
		c.t.Errorf("node %d: %v", i+1, err)
	}
}

func (c *cluster) addrs() (list []string) {
	for _, cfg := range c.configs {
		list = append(list, cfg.Client)
	}
	return list
}

// leader asks a node who leads, 0 if it cannot say.
func (c *cluster) leader(i int) wire.ReplicaID {
	conn, err := net.DialTimeout("tcp", c.configs[i].Client, time.Second)
	if err != nil {
		return 0
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write(wire.AppendClientHello(nil, wire.ClientHello{})); err != nil {
		return 0
	}
	buf := make([]byte, 1<<10)
	for n := 0; n < len(buf); {
		m, err := conn.Read(buf[n:])
		if err != nil {
			return 0
		}
		n += m
		if h, err := wire.DecodeHeader(buf[:n]); err == nil && n >= h.FrameLen() {
			welcome, err := wire.DecodeWelcome(buf[:n])
			if err != nil {
				return 0
			}
			return welcome.Leader
		}
	}
	return 0
}

// killer kills the leader with SIGKILL in a run, starts it again, and kills the next one: from then on nothing is done without the
// node that has come back.
type killer struct {
	cluster  *cluster
	interval int
	killed   []int // nodes
}

func (*killer) Phase(string) {}

// Interval implements load.Progress.
func (k *killer) Interval(*record.Row) {
	k.interval++
	const first, back, second = 5, 12, 22
	switch {
	case k.interval >= second && len(k.killed) < 2, k.interval >= first && len(k.killed) < 1:
		k.kill()
	case k.interval == back && len(k.killed) == 1:
		k.cluster.start(k.killed[0])
	}
}

func (k *killer) kill() {
	for i := range k.cluster.configs {
		if leader := k.cluster.leader(i); leader != 0 {
			k.killed = append(k.killed, int(leader)-1)
			k.cluster.end(int(leader)-1, syscall.SIGKILL)
			return
		}
	}
}

// run loads a cluster and checks every answer, the order of each session and the histories of sampled keys.
func (c *cluster) run(progress load.Progress) *record.Result {
	c.t.Helper()
	cfg := load.Default()
	cfg.Addrs, cfg.Conns, cfg.Clients, cfg.Window, cfg.Keys = c.addrs(), 2, 16, 64, 500
	if err := cfg.Mix.UnmarshalText([]byte("put:0.4,get:0.3,cas:0.3")); err != nil {
		c.t.Fatal(err)
	}
	cfg.Preload, cfg.Verify, cfg.Examine = true, verify.History, 500*time.Millisecond
	cfg.Warmup, cfg.Duration, cfg.Interval = 200*time.Millisecond, 4*time.Second, 100*time.Millisecond
	outcome, err := load.Run(c.t.Context(), &cfg, nil, progress)
	if err != nil {
		c.t.Fatal(err)
	}
	r := outcome.Result
	v := r.Verification
	if v.Violations != 0 || v.History != "ok" || v.Checked == 0 || v.ReadBack == 0 {
		c.t.Errorf("of %d answers %d were wrong, history %q, %d keys read back: %q", v.Checked, v.Violations, v.History, v.ReadBack, v.Reports)
	}
	if r.ThroughputOpsPerS == 0 {
		c.t.Error("nothing was done")
	}
	c.t.Logf("%.0f/s, %d answers checked, %d operations in histories, verdict %s %v", r.ThroughputOpsPerS, v.Checked, v.HistoryOps, r.Verdict, r.Reasons)
	return r
}

// Each system executes every command once and in order, with and without batching, and is linearizable.
func TestVerified(t *testing.T) {
	for _, system := range Systems() {
		t.Run(system, func(t *testing.T) {
			startCluster(t, system, false, false).run(nil)
		})
	}
}

// Nothing that was acknowledged is lost when the leader is killed, nor executed twice; nor by the node that comes back, from a snapshot
// and the log behind it.
func TestLeaderKilled(t *testing.T) {
	for _, system := range Systems() {
		t.Run(system, func(t *testing.T) {
			c := startCluster(t, system, true, true)
			k := &killer{cluster: c}
			c.run(k)
			if len(k.killed) != 2 {
				t.Errorf("%d leaders were found to kill, want 2", len(k.killed))
			}
		})
	}
}
