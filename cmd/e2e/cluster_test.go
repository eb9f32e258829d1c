// Package e2e tests the programs as programs: processes, sockets, files, signals.
package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"paxosbench/bench/netem"
	"paxosbench/replica/transport/freeport"
	"paxosbench/wire"
	"paxosbench/wire/secure"
	"paxosbench/wire/secure/authority"
)

// bin is where TestMain has built the programs.
var bin string

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "paxosbench-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin = dir
	build := exec.Command("go", "build", "-o", dir, "paxosbench/cmd/replica", "paxosbench/cmd/loadgen")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "building the programs:", err)
		return 1
	}
	for _, name := range []string{"PAXOSBENCH_STATE", "PAXOSBENCH_PORT_BASE"} {
		os.Unsetenv(name) // a cluster that whoever runs the tests works with is none of theirs
	}
	if err := flag.Set("test.parallel", strconv.Itoa(3*runtime.GOMAXPROCS(0)/2)); err != nil { // -parallel, where it is given, overrides it
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// cluster is three replicas as processes, on ports of their own.
type cluster struct {
	t        testing.TB
	dir      string
	flags    []string
	members  []member
	replicas map[int]*process

	tls     bool                 // everybody proves who they are
	trial   *authority.Authority // of those, to make more of them
	network *netem.Network       // between the replicas; nil: they reach each other directly
}

type member struct{ id, peer, client, admin int }

// process is a child with what it has written to standard error.
type process struct {
	*exec.Cmd
	log  string
	done chan struct{}
	err  error
}

// beside lets a test, or a part of one, run beside others of its kind, which wait for most of their time, so that there are more of them
// at a time than processors. Where it is checked how long a victim waits, each has the host for itself.
func beside(t *testing.T) {
	t.Helper()
	if !*quietHost {
		t.Parallel()
	}
}

// start runs a program and collects its standard error in a file.
func start(t testing.TB, log, program string, args ...string) *process {
	t.Helper()
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	p := startInto(t, file, exec.Command(filepath.Join(bin, program), args...))
	p.log = log
	return p
}

// startInto starts a program that writes its standard error to a file.
func startInto(t testing.TB, file *os.File, command *exec.Cmd) *process {
	t.Helper()
	p := &process{Cmd: command, done: make(chan struct{})}
	p.Stderr = file
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.Process.Kill() // it may have ended by itself
		<-p.done
	})
	return p
}

// slack is how many times longer than on a host of its own something may take on one that is busy. Nothing waits that long
// otherwise.
const slack = 4

// exit waits for the end of the process and returns its exit code.
func (p *process) exit(t testing.TB, within time.Duration) int {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(slack * within):
		t.Fatalf("%s still runs after %v; it says:\n%s", p.Path, slack*within, p.text())
	}
	return p.ProcessState.ExitCode()
}

func (p *process) text() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// newCluster starts a cluster of n replicas with the given extra flags. If the test fails, data and logs stay.
func newCluster(t testing.TB, n int, flags ...string) *cluster {
	t.Helper()
	c := prepared(t, n, flags...)
	for id := 1; id <= n; id++ {
		c.start(id, "--bootstrap")
	}
	return c
}

// newSecured does the same, and everybody proves who they are.
func newSecured(t testing.TB, n int, flags ...string) *cluster {
	t.Helper()
	c := prepared(t, n, flags...)
	trial, err := authority.New()
	if err != nil {
		t.Fatal(err)
	}
	c.tls, c.trial = true, trial
	err = trial.Issue(loadIdentity, c.credentials(loadIdentity))
	err = errors.Join(err, trial.Issue(otherIdentity, c.credentials(otherIdentity)))
	for id := 1; id <= n; id++ {
		replica := secure.ReplicaIdentity(id)
		if err = errors.Join(err, trial.Issue(replica, c.credentials(replica))); err != nil {
			t.Fatal(err)
		}
		c.start(id, "--bootstrap")
	}
	return c
}

// prepared is a cluster that has not been started.
func prepared(t testing.TB, n int, flags ...string) *cluster {
	t.Helper()
	dir, err := os.MkdirTemp("", "paxosbench-cluster-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("data and logs: %s", dir)
		} else if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	c := &cluster{t: t, dir: dir, flags: flags, replicas: map[int]*process{}}
	c.addMembers(n)
	return c
}

// addMembers finds ports for n replicas.
func (c *cluster) addMembers(n int) {
	ports := freeport.Reserve(c.t, 3*n)
	for i := range n {
		c.members = append(c.members, member{id: i + 1, peer: ports[3*i], client: ports[3*i+1], admin: ports[3*i+2]})
	}
}

func (c *cluster) args(id int) []string {
	args := []string{"--id", fmt.Sprint(id), "--data", filepath.Join(c.dir, fmt.Sprint(id)),
		"--admin", fmt.Sprintf("127.0.0.1:%d", c.members[id-1].admin)}
	for _, m := range c.members {
		peer := fmt.Sprintf("127.0.0.1:%d", m.peer)
		if m.id != id && c.network != nil {
			peer = c.network.Addr(wire.ReplicaID(id), wire.ReplicaID(m.id))
		}
		args = append(args, "--member", fmt.Sprintf("%d=%s,127.0.0.1:%d", m.id, peer, m.client))
	}
	if c.tls {
		args = append(args, "--tls", c.credentials(secure.ReplicaIdentity(id)))
	}
	return append(args, c.flags...)
}

// credentials is the directory of the credentials of a replica or a client.
func (c *cluster) credentials(id secure.Identity) string {
	return filepath.Join(c.dir, "tls", string(id.Role)+"-"+id.Name)
}

// loadIdentity is who loadgen is, and otherIdentity another client.
var (
	loadIdentity  = secure.Identity{Role: secure.Client, Name: "loadgen"}
	otherIdentity = secure.Identity{Role: secure.Client, Name: "other"}
)

func (c *cluster) start(id int, extra ...string) {
	c.t.Helper()
	c.replicas[id] = start(c.t, filepath.Join(c.dir, fmt.Sprintf("%d.log", id)), "replica", append(c.args(id), extra...)...)
}

func (c *cluster) signal(id int, s syscall.Signal) {
	c.t.Helper()
	if err := c.replicas[id].Process.Signal(s); err != nil {
		c.t.Fatal(err)
	}
	if s == syscall.SIGKILL {
		<-c.replicas[id].done
	}
}

// status is what the tests look at of /status.
type status struct {
	Cluster string `json:"cluster"`

	Peers []struct {
		ID  int    `json:"id"`
		Ups uint64 `json:"ups"` // how often it has been connected
	} `json:"peers"`

	Role    string `json:"role"`
	Ballot  string `json:"ballot"`
	Leader  int    `json:"leader"`
	Commit  uint64 `json:"commit"`
	Applied uint64 `json:"applied"`
	Digest  string `json:"state_digest"`
	State   struct {
		Executed uint64 `json:"executed"`
		Reads    uint64 `json:"reads"` // gets among them
	} `json:"state"`
	Paxos struct {
		Elections   uint64 `json:"elections"`   // candidacies
		Implausible uint64 `json:"implausible"` // messages with ballots that cannot be
	} `json:"paxos"`
	Journal struct {
		Bytes uint64 `json:"bytes"`
	} `json:"journal"`
	Node struct {
		QueriesAnswered uint64 `json:"queries_answered"`
		Busy            uint64 `json:"busy"`             // commands and reads answered with BUSY
		MessagesRefused uint64 `json:"messages_refused"` // of peers
	} `json:"node"`
	Transport struct {
		Clients   int `json:"clients"`
		Peers     int `json:"peers"`
		Forwarded int `json:"forwarded"`
	} `json:"transport"`
	InFlight int `json:"in_flight_slots"`
}

func (c *cluster) status(id int) (s status, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	url := fmt.Sprintf("http://127.0.0.1:%d/status", c.members[id-1].admin)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return s, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return s, err
	}
	defer response.Body.Close()
	return s, json.NewDecoder(response.Body).Decode(&s)
}

// until polls until ok, and fails the test with the cluster's logs if that takes too long.
func (c *cluster) until(what string, ok func() bool) {
	c.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			for id, p := range c.replicas {
				c.t.Logf("replica %d:\n%s", id, p.text())
			}
			c.t.Fatalf("waited in vain: %s", what)
		}
	}
}

// leader waits for a leader and returns its id.
func (c *cluster) leader() (id int) {
	c.t.Helper()
	c.until("a leader", func() bool {
		for _, m := range c.members {
			if s, err := c.status(m.id); err == nil && s.Role == "leader" {
				id = m.id
				return true
			}
		}
		return false
	})
	return id
}

// ready waits until every replica is, and all follow one leader: one leads before the last of them has come, and may be followed by
// another who stood at the same time.
func (c *cluster) ready() (leader int) {
	c.t.Helper()
	c.until("readiness of all", func() bool {
		leader = 0
		for _, m := range c.members {
			code, _ := c.ask(m.id, "/readyz")
			s, err := c.status(m.id)
			if code != http.StatusOK || err != nil || leader != 0 && s.Leader != leader {
				return false
			}
			leader = s.Leader
		}
		return leader != 0
	})
	return leader
}

// commit returns the highest frontier of the replicas that answer.
func (c *cluster) commit() (highest uint64) {
	for _, m := range c.members {
		if s, err := c.status(m.id); err == nil {
			highest = max(highest, s.Commit)
		}
	}
	return highest
}

// agree waits until all replicas have applied the same slot with the same digest.
func (c *cluster) agree() {
	c.t.Helper()
	c.until("equal digests", func() bool {
		first, err := c.status(1)
		for _, m := range c.members[1:] {
			s, err2 := c.status(m.id)
			if err = errors.Join(err, err2); err != nil || s.Applied != first.Applied || first.Applied == 0 {
				return false // of slot 0 there is no digest while a replica recovers
			}
			if s.Digest != first.Digest {
				c.t.Fatalf("replicas 1 and %d have applied slot %d and differ: %s, %s", m.id, s.Applied, first.Digest, s.Digest)
			}
		}
		return err == nil && first.Applied > 0
	})
}

// load starts loadgen against the cluster.
func (c *cluster) load(duration time.Duration, extra ...string) *process {
	c.t.Helper()
	return c.loadThrough(c.members, duration, extra...)
}

const loadClients = 8

// readBack returns how many gets follow a load on keys that are read back: one of each client, which shows whether values are kept
// at all, and if so one of each key.
func readBack(keys int) uint64 { return loadClients + uint64(keys) }

// loadThrough starts loadgen against the cluster, of which it knows some members. Afterwards it reads all keys back, and does no
// more: what the replicas have executed is to be counted.
func (c *cluster) loadThrough(members []member, duration time.Duration, extra ...string) *process {
	c.t.Helper()
	var clients, admins []string
	for _, m := range members {
		clients = append(clients, fmt.Sprintf("127.0.0.1:%d", m.client))
	}
	for _, m := range c.members {
		admins = append(admins, fmt.Sprintf("127.0.0.1:%d", m.admin))
	}
	args := []string{"run", "--addrs", strings.Join(clients, ","), "--admin", strings.Join(admins, ","), "--out", c.out(),
		"--conns", "4", "--clients", fmt.Sprint(loadClients), "--warmup", "0s", "--duration", duration.String(), "--examine", "0s"}
	if c.tls {
		args = append(args, "--tls", c.credentials(loadIdentity))
	}
	return start(c.t, filepath.Join(c.dir, "loadgen.log"), "loadgen", append(args, extra...)...)
}

func (c *cluster) out() string { return filepath.Join(c.dir, "out") }

// result is what the tests look at of result.json.
type result struct {
	Verdict string   `json:"verdict"`
	Reasons []string `json:"reasons"`
	Ops     struct {
		OK       uint64 `json:"ok"`
		Failed   uint64 `json:"failed"`
		TimedOut uint64 `json:"timed_out"`
		Full     uint64 `json:"full"`
	} `json:"ops"`
	Client struct {
		Reconnects uint64 `json:"reconnects"`
		Stalls     uint64 `json:"stalls"`
	} `json:"client"`
	Verification struct {
		Reads      uint64 `json:"reads"`
		Violations uint64 `json:"violations"`
		HistoryOps int    `json:"history_ops"` // on keys whose history was decided
		Undecided  int    `json:"history_undecided"`
	} `json:"verification"`
	Config struct {
		StallTimeout string `json:"stall_timeout"`
	} `json:"config"`
	Throughput float64 `json:"throughput_ops_per_s"`
	Latency    struct {
		P999 int64 `json:"p999"`
		Max  int64 `json:"max"` // ns
	} `json:"latency_ns"`
}

func (c *cluster) result() (r result) {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(c.out(), "result.json"))
	if err != nil {
		c.t.Fatal(err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		c.t.Fatal(err)
	}
	return r
}
