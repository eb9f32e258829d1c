package replica

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"paxosbench/wire"
)

// membership is what the data directory remembers of the cluster and its members, as the transport wants it. Where that
// cannot be recorded the replica stops.
type membership struct {
	l     *loop
	alone uint64 // the cluster of a replica without a data directory
}

// settle sees to it that a replica that has nobody to agree with belongs to a cluster.
func (m *membership) settle() error {
	cfg := m.l.cfg
	switch {
	case cfg.Unreplicated:
		m.alone = cfg.ClusterID
		if m.alone == 0 {
			m.alone = drawCluster()
		}
	case len(cfg.Members) == 1 && m.Cluster() == 0:
		return m.l.storage.SetCluster(drawCluster())
	}
	return nil
}

func drawCluster() uint64 { return max(rand.Uint64(), 1) }

// Cluster implements transport.Membership.
func (m *membership) Cluster() uint64 {
	if m.alone != 0 {
		return m.alone
	}
	return m.l.storage.Cluster()
}

// SetCluster implements transport.Membership.
func (m *membership) SetCluster(cluster uint64) error {
	return m.recorded(m.l.storage.SetCluster(cluster))
}

// Founder implements transport.Membership.
func (m *membership) Founder() bool { return m.l.cfg.ID == slices.Min(m.l.cfg.ids()) }

// Met implements transport.Membership.
func (m *membership) Met() (met, by wire.Members) { return m.l.storage.Met() }

// Meet implements transport.Membership.
func (m *membership) Meet(met, by wire.Members) error {
	return m.recorded(m.l.storage.Meet(met, by))
}

func (m *membership) recorded(err error) error {
	if err != nil {
		m.l.fail(fmt.Errorf("data directory: who belongs to the cluster cannot be recorded: %w", err))
	}
	return err
}
