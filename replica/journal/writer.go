package journal

import "errors"

// writer puts groups on the disk. It belongs to whoever holds the journal's flush lock.
type writer struct {
	pool    *pool
	syncing bool // false: DurabilityOS

	file    File // of the newest segment written to
	segment uint32
	end     int64 // up to where it has been written
	dirty   bool  // written to since the last sync

	syncs uint64
	bytes uint64
}

// write writes a group and syncs it. A segment is synced before anything is written to the next: a header proves that
// all earlier segments are complete.
func (w *writer) write(g *group) error {
	for i := range g.parts {
		p := &g.parts[i]
		if err := w.moveTo(p.segment); err != nil {
			return err
		}
		data := g.bytes(i)
		if err := writeAll(w.file, data, p.offset); err != nil {
			return err
		}
		w.dirty = true
		w.end = p.offset + int64(len(data))
		w.bytes += uint64(len(data))
	}
	return w.sync()
}

// moveTo makes segment the one being written to.
func (w *writer) moveTo(segment uint32) error {
	if w.file != nil && w.segment == segment {
		return nil
	}
	if err := errors.Join(w.sync(), w.close()); err != nil {
		return err
	}
	f, err := w.pool.take(segment)
	if err != nil {
		return err
	}
	w.file, w.segment = f, segment
	return nil
}

func (w *writer) sync() error {
	if !w.dirty || !w.syncing {
		return nil
	}
	w.dirty = false
	w.syncs++
	return w.file.Sync()
}

func (w *writer) close() error {
	if w.file == nil {
		return nil
	}
	f := w.file
	w.file = nil
	return f.Close()
}
