// Package clustercmd is the command bench cluster: the words by which people and scripts act on a cluster on this host.
package clustercmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"paxosbench/bench/cluster"
	"paxosbench/bench/netem"
	"paxosbench/bench/suite"
	"paxosbench/cmd/program"
)

// Exit codes of bench cluster, where they differ from those of the other commands.
const (
	exitNoLeader = 3
	exitRefused  = 4
)

// Command is bench cluster.
type Command struct {
	Up      upCommand      `cmd:"" help:"Start replicas and wait for a leader."`
	Down    downCommand    `cmd:"" help:"Stop all replicas: SIGTERM, and SIGKILL for one that has not ended within 10 s."`
	Status  statusCommand  `cmd:"" help:"One line for each replica; why there is no leader, if there is none, on standard error."`
	Leader  leaderCommand  `cmd:"" help:"Print the leader's id. Waits up to 10 s for one."`
	Kill    actCommand     `cmd:"" help:"SIGKILL."`
	Start   actCommand     `cmd:"" help:"Start again what was killed, with the flags of up, and wait until it has recovered."`
	Stop    actCommand     `cmd:"" help:"SIGSTOP: the replica hangs, its connections stay open."`
	Cont    actCommand     `cmd:"" help:"SIGCONT."`
	Isolate actCommand     `cmd:"" help:"Hold up what the replica says to the others and what they say to it (up --netem)."`
	Deafen  actCommand     `cmd:"" help:"Hold up only what they say to it."`
	Mute    actCommand     `cmd:"" help:"Hold up only what it says."`
	Heal    actCommand     `cmd:"" help:"Let everything through again, also what was held up."`
	Logs    logsCommand    `cmd:"" help:"Print the replica's log, all its starts since up."`
	Addrs   addrsCommand   `cmd:"" help:"Print the addresses of the replicas, separated by commas."`
	Get     getCommand     `cmd:"" help:"Print what the replica answers at its admin address: /status, /metrics, with --pprof profiles."`
	Clean   cleanCommand   `cmd:"" help:"Remove everything that clusters which are down have left in the directory and below."`
	Network networkCommand `cmd:"" hidden:"" help:"Emulate a network. Called by up."`

	State  string `help:"Directory of the cluster (default: .cluster in the project)." env:"PAXOSBENCH_STATE" placeholder:"DIR"`
	Expect string `help:"Refuse unless this is the cluster's id." env:"PAXOSBENCH_CLUSTER" placeholder:"ID"`
}

// Defaults are those of flags that other packages know, for the parser.
func Defaults() kong.Vars {
	return kong.Vars{
		"replicas": suite.Default(suite.KnobReplicas), "durability": suite.Default("durability"), "link_rate": suite.Default(suite.KnobLinkRate),
		"port_base": strconv.Itoa(cluster.DefaultPortBase),
	}
}

// Help is the text below the usage line.
func (*Command) Help() string {
	return `A cluster is known by its directory. Clusters with directories and ports of their own live beside each other.

Exit codes: 0 done; 1 failed; 2 usage; 3 no leader; 4 refused as things stand (already up, not up, port in use).

Example, fail over:
  bench cluster up && bench cluster kill "$(bench cluster leader)" && bench cluster leader`
}

// dir is the directory of the cluster that is meant.
func (c *Command) dir() string {
	if c.State == "" {
		return cluster.DefaultDir()
	}
	return c.State
}

// open returns the cluster that is meant, and no other.
func (c *Command) open() (*cluster.Cluster, error) {
	opened, err := cluster.Open(c.dir())
	if err == nil && c.Expect != "" {
		err = opened.Expect(c.Expect)
	}
	return opened, err
}

// Code returns the exit code of an error of this command, 0 if it knows none.
func Code(err error) int {
	switch {
	case errors.Is(err, cluster.ErrNoReplica):
		return program.ExitUsage
	case errors.Is(err, cluster.ErrNoLeader):
		return exitNoLeader
	case errors.Is(err, cluster.ErrRefused):
		return exitRefused
	}
	return program.ExitDone
}

// upCommand is bench cluster up.
type upCommand struct {
	System     string        `help:"Start the processes of another system, which this file describes (docs/peers.md). Flags behind -- go to these." placeholder:"FILE"`
	Replicas   int           `help:"Number of replicas, 1 to 7 (${default})." default:"${replicas}" placeholder:"N"`
	Durability string        `help:"none, os or fsync (${default})." enum:"none,os,fsync" default:"${durability}" placeholder:"D"`
	Keep       bool          `help:"Take up the data of the last time. Without it the data is fresh."`
	PortBase   int           `help:"Clients at 127.0.0.1:BASE+1.., peers BASE+101.., admin BASE+201.. (${default})." default:"${port_base}" env:"PAXOSBENCH_PORT_BASE" placeholder:"BASE"`
	TLS        bool          `name:"tls" help:"Have replicas and clients prove who they are to each other, by certificates that are made for this cluster; the load generator finds its own."`
	Netem      bool          `help:"Put an emulated network between the replicas, for isolate, deafen and mute."`
	LinkDelay  time.Duration `help:"Delay of each of its links, one way (0)." placeholder:"D"`
	LinkRate   string        `help:"Bytes per second of each of its links, in each direction, as in 100MB (${default})." default:"${link_rate}" placeholder:"RATE"`
	Bin        string        `help:"Directory of the program replica. Default: that of this program." placeholder:"DIR"`
	Flags      []string      `arg:"" optional:"" help:"Behind --: passed unchanged to every replica. See replica --help."`
}

// Validate refuses replica flags that are not the user's to give. The parser calls it.
func (c *upCommand) Validate() error {
	if len(c.Flags) > 0 && !strings.HasPrefix(c.Flags[0], "-") {
		return fmt.Errorf("up: unknown argument %s; flags for the replicas go behind --", c.Flags[0])
	}
	for _, arg := range c.Flags {
		flag, _, _ := strings.Cut(arg, "=")
		switch {
		case slices.Contains([]string{"--id", "--member", "--admin", "--data", "--cluster-id", "--bootstrap"}, flag):
			return fmt.Errorf("%s is set by this command; leave it out; see --port-base and --state", flag)
		case flag == "--tls":
			return errors.New("--tls goes before the --, without a directory: up --tls -- FLAGS")
		case flag == "--durability":
			return errors.New("--durability goes before the --: up --durability D -- FLAGS")
		}
	}
	rate, err := suite.LinkRate(c.LinkRate)
	return errors.Join(err, netem.Config{Delay: c.LinkDelay, Rate: rate}.Validate(), cluster.CheckReplicas(c.Replicas), cluster.CheckPortBase(c.PortBase))
}

// Run carries out bench cluster up.
func (c *upCommand) Run(s *program.Session, all *Command) error {
	self, local, err := cluster.Programs(c.Bin)
	if err != nil {
		return err
	}
	rate, err := suite.LinkRate(c.LinkRate)
	if err != nil {
		return err
	}
	config := cluster.Config{
		Program: filepath.Join(local, "replica"), Replicas: c.Replicas, Dir: all.dir(), PortBase: c.PortBase, Keep: c.Keep, TLS: c.TLS,
		Flags: append([]string{"--durability", c.Durability}, c.Flags...),
		Netem: c.Netem, Link: netem.Config{Delay: c.LinkDelay, Rate: rate}, NetworkProgram: []string{self, "cluster", "network"},
		Progress: func(text string) { fmt.Fprintln(s.Err, text) },
	}
	if c.System != "" {
		if err := c.another(&config, local); err != nil {
			return program.Usage(err)
		}
	}
	started, err := cluster.Start(s.Ctx, config)
	if err != nil {
		return err
	}
	members, err := started.Members()
	if err != nil {
		return err
	}
	for _, m := range members {
		fmt.Fprintf(s.Out, "replica %d  pid %d  clients %s  admin http://%s/status\n", m.ID, m.Process.PID, m.Client, m.Admin)
	}
	return all.Leader.print(s, started)
}

// another makes the cluster one of the system that a file describes.
func (c *upCommand) another(config *cluster.Config, bin string) error {
	text, err := os.ReadFile(c.System)
	if err != nil {
		return err
	}
	system, err := cluster.ParseSystem(c.System, text)
	if err != nil {
		return err
	}
	if lacks := system.Missing(bin); lacks != "" {
		return fmt.Errorf("%s: there is no %s; install it: %s", system.Name, lacks, system.Install)
	}
	config.System, config.Bin, config.Durability, config.Flags = system, bin, c.Durability, c.Flags
	if system.Replicas != 0 {
		config.Replicas = system.Replicas
	}
	return system.CheckDurability(c.Durability)
}

// downCommand is bench cluster down.
type downCommand struct{}

// Run carries out bench cluster down.
func (*downCommand) Run(s *program.Session, all *Command) error {
	opened, err := all.open()
	up := false
	if err == nil {
		up, err = opened.Up()
	}
	if errors.Is(err, cluster.ErrNoCluster) || err == nil && !up {
		_, err = fmt.Fprintln(s.Out, "no cluster is up")
		return err
	}
	if err != nil {
		return err
	}
	return opened.Down(context.WithoutCancel(s.Ctx)) // half a cluster is of no use
}

// statusCommand is bench cluster status.
type statusCommand struct{}

// Run carries out bench cluster status.
func (*statusCommand) Run(s *program.Session, all *Command) error {
	opened, err := all.open()
	if err != nil {
		return err
	}
	if err := opened.WriteStatus(s.Ctx, s.Out); err != nil {
		return err
	}
	for _, reason := range opened.Reasons(s.Ctx) {
		fmt.Fprintln(s.Err, reason)
	}
	return nil
}

// leaderCommand is bench cluster leader.
type leaderCommand struct{}

// Run carries out bench cluster leader.
func (*leaderCommand) Run(s *program.Session, all *Command) error {
	opened, err := all.open()
	if errors.Is(err, cluster.ErrNoCluster) {
		return &program.Error{Code: exitNoLeader, Err: err}
	}
	if err != nil {
		return err
	}
	id, err := opened.Leader(s.Ctx)
	if err == nil {
		_, err = fmt.Fprintln(s.Out, id)
	}
	return err
}

// print tells who leads.
func (*leaderCommand) print(s *program.Session, c *cluster.Cluster) error {
	id, err := c.Leader(s.Ctx)
	if err == nil {
		_, err = fmt.Fprintln(s.Out, "leader:", id)
	}
	return err
}

// actCommand does something to a replica: kill, start, stop ..
type actCommand struct {
	Replica string `arg:"" help:"Its id."`
}

// Run carries out the command whose name was given.
func (c *actCommand) Run(s *program.Session, all *Command) error {
	opened, err := all.open()
	if err != nil {
		return err
	}
	id, err := cluster.ReplicaID(c.Replica)
	if err != nil {
		return err
	}
	return opened.Act(s.Ctx, s.Word, id)
}

// logsCommand is bench cluster logs.
type logsCommand struct {
	Replica string `arg:"" help:"Its id."`
}

// Run carries out bench cluster logs.
func (c *logsCommand) Run(s *program.Session, all *Command) error {
	opened, err := all.open()
	if err != nil {
		return err
	}
	id, err := cluster.ReplicaID(c.Replica)
	if err != nil {
		return err
	}
	m, err := opened.Member(id)
	if err != nil {
		return err
	}
	log, err := os.Open(m.Log)
	if err != nil {
		return err
	}
	defer log.Close()
	_, err = io.Copy(s.Out, log)
	return err
}

// getCommand is bench cluster get.
type getCommand struct {
	Replica string `arg:"" help:"Its id."`
	Path    string `arg:"" help:"As in /status or /debug/pprof/profile?seconds=10."`
}

// Run carries out bench cluster get.
func (c *getCommand) Run(s *program.Session, all *Command) error {
	opened, err := all.open()
	if err != nil {
		return err
	}
	id, err := cluster.ReplicaID(c.Replica)
	if err != nil {
		return err
	}
	return opened.Get(s.Ctx, id, c.Path, s.Out)
}

// addrsCommand is bench cluster addrs.
type addrsCommand struct {
	Admin bool `help:"Those for /status, /metrics and profiles instead of those for clients."`
}

// Run carries out bench cluster addrs.
func (c *addrsCommand) Run(s *program.Session, all *Command) error {
	opened, err := all.open()
	if err != nil {
		return err
	}
	addrs, err := opened.Addrs()
	if err != nil {
		return err
	}
	list := addrs.Client
	if c.Admin {
		list = addrs.Admin
	}
	_, err = fmt.Fprintln(s.Out, strings.Join(list, ","))
	return err
}

// cleanCommand is bench cluster clean.
type cleanCommand struct{}

// Run carries out bench cluster clean.
func (*cleanCommand) Run(s *program.Session, all *Command) error {
	removed, err := cluster.Clean(s.Ctx, all.dir())
	for _, dir := range removed {
		fmt.Fprintln(s.Out, "removed what a cluster had left in", dir)
	}
	if err == nil && len(removed) == 0 {
		_, err = fmt.Fprintln(s.Out, "there is nothing to remove")
	}
	return err
}

// networkCommand is the process that emulates a network.
type networkCommand struct{}

// Run carries out bench cluster network.
func (*networkCommand) Run(s *program.Session) error {
	return cluster.ServeNetwork(s.Ctx, os.Stdin, s.Out)
}
