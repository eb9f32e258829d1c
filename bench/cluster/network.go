package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"os/signal"
	"syscall"

	"paxosbench/bench/netem"
	"paxosbench/wire"
)

// startNetwork starts the emulated network, if there is to be one, and returns where a replica finds another one.
func (c *Cluster) startNetwork(ctx context.Context, s *State) (func(from wire.ReplicaID, to *Member) string, error) {
	if !c.config.emulates() {
		return func(_ wire.ReplicaID, to *Member) string { return to.Peer }, nil
	}
	spec := networkSpec{Peers: make(map[wire.ReplicaID]string), Link: c.config.Link}
	for _, m := range s.Members {
		spec.Peers[m.ID] = m.Peer
	}
	var err error
	var served servedNetwork
	s.Network = &Network{}
	if len(c.config.NetworkProgram) > 0 {
		served, err = c.startNetworkProgram(ctx, s.Network, &spec)
	} else {
		c.network, c.control, err = spec.serve()
		if err == nil {
			served = spec.served(c.network, c.control)
		}
	}
	s.Network.Control = served.Control
	return func(from wire.ReplicaID, to *Member) string {
		if from == to.ID {
			return to.Peer
		}
		return served.Addrs[from][to.ID]
	}, err
}

// networkSpec describes an emulated network to the program that is to serve it, servedNetwork is its answer.
type networkSpec struct {
	Peers map[wire.ReplicaID]string
	Link  netem.Config
}

type servedNetwork struct {
	Control string
	Addrs   map[wire.ReplicaID]map[wire.ReplicaID]string // from, to
}

func (spec *networkSpec) serve() (*netem.Network, *netem.Control, error) {
	network, err := netem.NewNetwork(spec.Peers, spec.Link)
	if err != nil {
		return nil, nil, err
	}
	control, err := network.Serve()
	if err != nil {
		return nil, nil, errors.Join(err, network.Close())
	}
	return network, control, nil
}

func (spec *networkSpec) served(network *netem.Network, control *netem.Control) servedNetwork {
	served := servedNetwork{control.Addr(), make(map[wire.ReplicaID]map[wire.ReplicaID]string)}
	for from := range spec.Peers {
		served.Addrs[from] = make(map[wire.ReplicaID]string)
		for to := range spec.Peers {
			if from != to {
				served.Addrs[from][to] = network.Addr(from, to)
			}
		}
	}
	return served
}

// startNetworkProgram starts a process that emulates the network and outlives this one.
func (c *Cluster) startNetworkProgram(ctx context.Context, n *Network, spec *networkSpec) (served servedNetwork, err error) {
	cmd := exec.Command(c.config.NetworkProgram[0], c.config.NetworkProgram[1:]...)
	cmd.SysProcAttr = free()
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr, cmd.Start()); err != nil {
		return served, err
	}
	started, err := newChild(cmd)
	if err != nil {
		return served, err
	}
	n.Process = &started.Process
	err = errors.Join(json.NewEncoder(in).Encode(spec), in.Close())
	if err == nil {
		err = json.NewDecoder(bufio.NewReader(out)).Decode(&served)
	}
	if err != nil {
		_, endErr := n.Process.end(ctx, c.timeout)
		return served, errors.Join(fmt.Errorf("the emulated network did not start: %w", err), endErr)
	}
	return served, nil
}

// ServeNetwork emulates the network that is described on in, says on out where it is, and serves it until the process is
// told to end.
func ServeNetwork(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	var spec networkSpec
	if err := json.NewDecoder(in).Decode(&spec); err != nil {
		return err
	}
	network, control, err := spec.serve()
	if err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(spec.served(network, control)); err == nil {
		<-ctx.Done()
	}
	return errors.Join(control.Close(), network.Close())
}
