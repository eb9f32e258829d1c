package cluster

import (
	"errors"

	"paxosbench/bench/link"
	"paxosbench/wire"
)

// links are the proxies between replicas, one for each pair and direction of dialling, whoever of the two dials. None
// if the replicas are connected directly.
type links map[pair]*link.Proxy

type pair struct{ from, to wire.ReplicaID }

// newLinks starts the proxies, or none if the configuration leaves the host's network as it is.
func newLinks(members []member, config link.Config) (links, error) {
	if config == (link.Config{}) {
		return nil, nil
	}
	all := make(links)
	for _, from := range members {
		for _, to := range members {
			if from.id == to.id {
				continue
			}
			proxy, err := link.Listen(to.peer, config)
			if err != nil {
				return nil, errors.Join(err, all.close())
			}
			all[pair{from.id, to.id}] = proxy
		}
	}
	return all, nil
}

// addr returns where a replica finds a peer.
func (l links) addr(from wire.ReplicaID, to member) string {
	if proxy := l[pair{from, to.id}]; proxy != nil {
		return proxy.Addr()
	}
	return to.peer
}

func (l links) close() error {
	var errs []error
	for _, proxy := range l {
		errs = append(errs, proxy.Close())
	}
	return errors.Join(errs...)
}
