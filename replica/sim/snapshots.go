package sim

import (
	"slices"

	"paxosbench/replica/snapshot"
	"paxosbench/wire"
)

func (r *replica) later(job func()) { r.jobs = append(r.jobs, job) }

// BeginSnapshot implements node.SnapshotStore.
func (r *replica) BeginSnapshot(slot wire.Slot, form snapshot.Form) {
	r.later(func() {
		r.abort()
		r.writer, r.slot = r.store.Create(slot, form), slot
	})
}

// WriteSnapshot implements node.SnapshotStore.
func (r *replica) WriteSnapshot(piece []byte) {
	piece = slices.Clone(piece)
	r.later(func() { r.writer.Write(piece) })
}

// EndSnapshot implements node.SnapshotStore.
func (r *replica) EndSnapshot() {
	r.later(func() {
		info, err := r.writer.Commit()
		r.writer = nil
		if err != nil {
			r.w.logf("%d cannot store the snapshot of slot %d: %v", r.id, r.slot, err)
			r.node.SnapshotFailed(r.slot)
			return
		}
		r.w.counts.Snapshots++
		r.w.logf("%d has stored a snapshot of slot %d", r.id, info.Slot)
		r.disk.snapshot = info.Slot
		if r.node.SnapshotStored(info) {
			r.covered = info.Slot
			r.w.counts.Installed++
		}
	})
}

// AbortSnapshot implements node.SnapshotStore.
func (r *replica) AbortSnapshot() { r.later(r.abort) }

func (r *replica) abort() {
	if r.writer != nil {
		r.writer.Abort()
		r.writer = nil
	}
}

// ClearSnapshots implements node.SnapshotStore.
func (r *replica) ClearSnapshots() {
	r.later(func() {
		if err := r.store.Clear(); err != nil {
			r.w.fail("replica %d cannot remove snapshots: %v", r.id, err)
		}
		r.disk.snapshot = 0
	})
}

// SnapshotRoom implements node.SnapshotStore.
func (r *replica) SnapshotRoom() bool { return len(r.jobs) < 4 }

// SendSnapshot implements node.SnapshotStore.
func (r *replica) SendSnapshot(to wire.ReplicaID, slot wire.Slot, offset uint64) {
	if m, ok := r.store.Answer(slot, offset); ok {
		m.From, m.To = r.id, to
		r.Send(&m)
	}
}
