// Command peer runs one node of another consensus system behind our client protocol, with our state machine, so that
// loadgen measures it as it measures our replica.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"paxosbench/bench/peers"
	"paxosbench/bench/peers/front"
	"paxosbench/cmd/program"
	"paxosbench/wire"
)

type cli struct {
	System     string                    `help:"What the node is of: ${systems}." required:"" placeholder:"NAME"`
	ID         wire.ReplicaID            `help:"The node's id, one of --cluster, 1 to 7." required:"" placeholder:"N"`
	Cluster    map[wire.ReplicaID]string `help:"All nodes with the addresses at which they reach each other: 1=HOST:PORT,2=HOST:PORT,3=HOST:PORT." mapsep:"," required:"" placeholder:"ID=ADDR,.."`
	Client     string                    `help:"Where clients of this node connect. A node that does not lead sends them to the one that does." required:"" placeholder:"HOST:PORT"`
	Durability string                    `help:"What a reply means: fsync (synced to disk on a quorum) or none (in memory on a quorum; a node that has ended must not come back) (${default})." enum:"fsync,none" default:"fsync" placeholder:"WHAT"`
	Dir        string                    `help:"Directory of this node alone, for --durability fsync. It is made if it is not there, and nothing in it is removed but by the system itself." placeholder:"DIR"`
	Batching   bool                      `help:"Whether commands that wait at the same time share an entry of the log (--no-batching or --batching=false: one each) (${default})." negatable:"" default:"true"`
	BatchBytes int                       `help:"Bytes up to which more commands are added to an entry (${default})." default:"${batchBytes}" placeholder:"BYTES"`
	InFlight   int                       `help:"Entries proposed and not applied at most, after which commands wait (0: 64 with batching, 65536 without)." default:"0" placeholder:"N"`
	LogLevel   slog.Level                `help:"debug, info, warn or error, to standard error (${default})." default:"info" placeholder:"LEVEL"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := program.Program{
		Name:        "peer",
		Description: "Run one node of another consensus system behind this project's client protocol.",
		Options: []kong.Option{kong.Vars{
			"systems": strings.Join(peers.Systems(), ", "), "batchBytes": fmt.Sprint(front.DefaultBatchBytes),
		}},
	}
	os.Exit(p.Execute(&program.Session{Ctx: ctx, Args: os.Args[1:], Out: os.Stdout, Err: os.Stderr}, &cli{}))
}

// Run runs the node until a signal ends it.
func (c *cli) Run(s *program.Session) error {
	cfg := peers.Config{
		System: c.System, Client: c.Client, Batching: c.Batching, BatchBytes: c.BatchBytes, InFlight: c.InFlight,
		Node: front.Node{
			ID: c.ID, Members: c.Cluster, Durable: c.Durability == "fsync", Dir: c.Dir,
			Log: slog.New(slog.NewTextHandler(s.Err, &slog.HandlerOptions{Level: c.LogLevel})).With("node", c.ID),
		},
	}
	if err := cfg.Validate(); err != nil {
		return program.Usage(err)
	}
	node, err := peers.Start(cfg)
	if err != nil {
		return err
	}
	<-s.Ctx.Done()
	return node.Close()
}
