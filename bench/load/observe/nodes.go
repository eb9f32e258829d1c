package observe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"paxosbench/bench/target"
	"paxosbench/wire"
)

// Nodes are the nodes of the system under load, as they can be looked at. All methods may be called from any goroutine.
type Nodes interface {
	// Look looks at all nodes. A node has the same place in every look.
	Look(ctx context.Context) []Scrape
	// LookAt looks at the node at a place.
	LookAt(ctx context.Context, place int) Scrape
	// Statuses looks at all nodes as Look does, but need not find out what they have counted.
	Statuses(ctx context.Context) []Scrape
}

// Pages are replicas that are looked at by their admin addresses.
type Pages []string

// Look implements Nodes.
func (p Pages) Look(ctx context.Context) []Scrape { return p.all(ctx, scrapePages) }

// LookAt implements Nodes.
func (p Pages) LookAt(ctx context.Context, place int) Scrape { return scrapePages(ctx, p[place]) }

// Statuses implements Nodes.
func (p Pages) Statuses(ctx context.Context) []Scrape { return p.all(ctx, scrapeStatus) }

// all asks all replicas at once.
func (p Pages) all(ctx context.Context, ask func(context.Context, string) Scrape) []Scrape {
	scrapes := make([]Scrape, len(p))
	var wg sync.WaitGroup
	for i, admin := range p {
		wg.Go(func() { scrapes[i] = ask(ctx, admin) })
	}
	wg.Wait()
	return scrapes
}

// Observed are nodes that an Observer tells of. They get their numbers from the order in which they are first told of.
type Observed struct {
	Of target.Observer

	mu    sync.Mutex
	names []string
}

// Look implements Nodes.
func (o *Observed) Look(ctx context.Context) []Scrape {
	ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
	defer cancel()
	at := time.Now()
	seen, err := o.Of.Observe(ctx)
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil {
		err = o.learn(seen)
	}
	if err != nil {
		return o.unseen(at, err)
	}
	scrapes := o.unseen(at, errors.New("the driver tells nothing of it"))
	for i := range seen {
		place := slices.Index(o.names, seen[i].Node)
		scrapes[place] = scraped(&seen[i], place, at)
	}
	tellLeader(scrapes)
	return scrapes
}

// unseen is a look at which no node could be seen. Somebody has to say why even if no node is known.
func (o *Observed) unseen(at time.Time, why error) []Scrape {
	names := o.names
	if len(names) == 0 {
		names = []string{"no node"}
	}
	scrapes := make([]Scrape, len(names))
	for i, name := range names {
		scrapes[i] = Scrape{Admin: name, At: at, Err: fmt.Errorf("%s: %w", name, why)}
	}
	return scrapes
}

// LookAt implements Nodes.
func (o *Observed) LookAt(ctx context.Context, place int) Scrape { return o.Look(ctx)[place] }

// Statuses implements Nodes.
func (o *Observed) Statuses(ctx context.Context) []Scrape { return o.Look(ctx) }

// learn gives nodes that were not told of before their places.
func (o *Observed) learn(seen []target.Observation) error {
	for i := range seen {
		for j := range i {
			if seen[j].Node == seen[i].Node {
				return fmt.Errorf("the driver tells of two nodes that are called %q: give each a name of its own", seen[i].Node)
			}
		}
		if slices.Contains(o.names, seen[i].Node) {
			continue
		}
		if len(o.names) == math.MaxUint8 {
			return fmt.Errorf("the driver tells of more than %d nodes: observe fewer", math.MaxUint8)
		}
		o.names = append(o.names, seen[i].Node)
	}
	return nil
}

// scraped renders an observation of the node at a place as a look at a replica.
func scraped(o *target.Observation, place int, at time.Time) Scrape {
	if o.Err != nil {
		return Scrape{Admin: o.Node, At: at, Err: fmt.Errorf("%s: %w", o.Node, o.Err)}
	}
	return Scrape{
		Admin: o.Node, At: at,
		Status: Status{
			ID: wire.ReplicaID(place + 1), PID: o.PID, Role: o.Role, Ballot: wire.Ballot(o.Term), Commit: o.Commit, Applied: o.Applied,
			StateDigest: described(o.Digest, o.Digest == ""), CPUNs: o.CPU.Nanoseconds(),
			Config: described(o.Config, o.Config == nil), Version: described(o.Version, o.Version == ""),
		},
		Counters: o.Counters,
		figures:  figures{commands: float64(o.Commands), batches: float64(o.Batches), syncs: float64(o.Syncs), bytes: float64(o.SyncedBytes)},
	}
}

// described renders what a node says of itself, nothing if it does not.
func described(v any, silent bool) json.RawMessage {
	if silent {
		return nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		panic("BUG: text that cannot be rendered: " + err.Error())
	}
	return text
}

// tellLeader notes who leads, of which a driver tells the role only.
func tellLeader(scrapes []Scrape) {
	id := leading(scrapes)
	for i := range scrapes {
		scrapes[i].Status.Leader = id
	}
}
