package memfs

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// SectorSize is the unit that a disk writes whole or not at all.
const SectorSize = 512

// Crash returns what the disk holds after a power loss at this moment; f goes on unharmed. Synced contents and
// directory entries are all there. Of what was not synced, the seed decides how much survives: nothing, everything, or
// any subset, by sectors of writes and by single changes to directories, regardless of their order. Locks are free, and
// there is no hook.
func (f *FS) Crash(seed uint64) *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := crash{
		random: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)),
		files:  map[*inode]*inode{},
	}
	c.survival = []float64{0, 1, 0.1, 0.5, 0.9}[c.random.IntN(5)]
	after := New()
	for _, name := range slices.Sorted(maps.Keys(f.dirs)) {
		after.dirs[name] = c.directory(f.dirs[name])
	}
	return after
}

// Restart returns what is found after the process alone has died: everything written, synced or not. What was not
// synced still is not.
func (f *FS) Restart() *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	after := New()
	files := map[*inode]*inode{}
	clone := func(names map[string]*inode) map[string]*inode {
		copied := make(map[string]*inode, len(names))
		for name, file := range names {
			copied[name] = cloneOnce(files, file)
		}
		return copied
	}
	for name, d := range f.dirs {
		todo := slices.Clone(d.todo)
		for i := range todo {
			if todo[i].file != nil {
				todo[i].file = cloneOnce(files, todo[i].file)
			}
		}
		after.dirs[name] = &directory{names: clone(d.names), synced: clone(d.synced), todo: todo}
	}
	return after
}

// cloneOnce returns the copy of a file, always the same for the same file.
func cloneOnce(files map[*inode]*inode, file *inode) *inode {
	if files[file] == nil {
		files[file] = &inode{
			data:   slices.Clone(file.data),
			synced: slices.Clone(file.synced),
			dirty:  slices.Clone(file.dirty),
		}
	}
	return files[file]
}

// crash decides, in a fixed order, what of the unsynced state survives.
type crash struct {
	random   *rand.Rand
	survival float64 // probability that an unsynced piece is on the disk
	files    map[*inode]*inode
}

func (c *crash) survives() bool { return c.random.Float64() < c.survival }

func (c *crash) directory(d *directory) *directory {
	names := maps.Clone(d.synced)
	for _, ch := range d.todo {
		if c.survives() {
			ch.apply(names)
		}
	}
	after := &directory{names: map[string]*inode{}, synced: map[string]*inode{}}
	for _, name := range sortedNames(names) {
		file := c.file(names[name])
		after.names[name], after.synced[name] = file, file
	}
	return after
}

func (c *crash) file(before *inode) *inode {
	if after := c.files[before]; after != nil {
		return after
	}
	data := slices.Clone(before.synced)
	for _, w := range before.dirty {
		for len(w.data) > 0 {
			n := min(len(w.data), SectorSize-int(w.off%SectorSize))
			if c.survives() {
				data = write{off: w.off, data: w.data[:n]}.apply(data)
			}
			w.off += int64(n)
			w.data = w.data[n:]
		}
	}
	after := &inode{data: data, synced: slices.Clone(data)}
	c.files[before] = after
	return after
}

func sortedNames(names map[string]*inode) []string { return slices.Sorted(maps.Keys(names)) }
