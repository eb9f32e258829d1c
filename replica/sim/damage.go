package sim

import (
	"errors"
	"strings"

	"paxosbench/replica/journal"
	"paxosbench/replica/journal/memfs"
	"paxosbench/replica/snapshot"
)

// rot ends the process, in good order or not, and damages what had been synced. What the journal cannot tell from a
// torn tail is only the last group of a process that was killed; everything else must be noticed by the next life.
func (r *replica) rot() {
	if !r.up || r.forgetful || r.w.durability != journal.DurabilityFsync || !r.mayForget() {
		return
	}
	if r.w.chance(0.5) && r.storage.Close() == nil {
		r.poll()
		if len(r.staged) > 0 {
			r.w.fail("replica %d closes in good order without having synced record %d", r.id, r.staged[0].number)
		}
		r.disk.proven = r.disk.durable
	}
	r.w.logf("the disk of %d rots", r.id)
	r.end(false)
	r.rotten = true
	for range 1 + r.w.rng.IntN(2) {
		if r.w.chance(0.3) {
			r.misplace()
		} else {
			r.flip()
		}
	}
}

// flip inverts a bit, most likely one that means something.
func (r *replica) flip() {
	name, data := r.anyFile()
	at := r.w.rng.IntN(len(data))
	for try := 0; data[at] == 0 && try < 20; try++ {
		at = r.w.rng.IntN(len(data))
	}
	r.w.counts.Rots++
	r.w.logf("%d: bit flips in %s at %d", r.id, name, at)
	r.fs.FlipBit(name, int64(at), uint(r.w.rng.IntN(8)))
}

// misplace has a block that was written to one place turn up in another, too.
func (r *replica) misplace() {
	_, source := r.anyFile()
	name, target := r.anyFile()
	from, to := r.w.rng.IntN(len(source)/journal.BlockSize+1), r.w.rng.IntN(len(target)/journal.BlockSize+1)
	block := source[min(from*journal.BlockSize, len(source)):]
	r.w.counts.Misplaced++
	r.w.logf("%d: a block turns up in %s at %d", r.id, name, to*journal.BlockSize)
	r.fs.Damage(name, func(data []byte) []byte {
		copy(data[min(to*journal.BlockSize, len(data)):], block[:min(journal.BlockSize, len(block))])
		return data
	})
}

// anyFile returns one of the files that a restart reads, and its contents.
func (r *replica) anyFile() (name string, data []byte) {
	var names []string
	for _, name := range sortedFiles(r.fs) {
		if name != "lock" && !strings.Contains(name, ".new") && len(r.fs.Read(dataDir+"/"+name)) > 0 {
			names = append(names, name)
		}
	}
	name = dataDir + "/" + names[r.w.rng.IntN(len(names))]
	return name, r.fs.Read(name)
}

func sortedFiles(fs *memfs.FS) []string {
	names, err := fs.List(dataDir)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return names
}

// refuses reports whether an error refuses a damaged disk, naming the file, the place in it if it is one of the
// journal's, and what to do.
func (r *replica) refuses(err error) bool {
	if !strings.Contains(err.Error(), "--repair") {
		return false
	}
	var file string
	var offset int64
	if in, ok := errors.AsType[*journal.CorruptError](err); ok {
		file, offset = in.File, in.Offset
	} else if in, ok := errors.AsType[*snapshot.CorruptError](err); ok {
		file = in.File
	}
	name, ok := strings.CutPrefix(file, dataDir+"/")
	if !ok {
		return false
	}
	for _, known := range sortedFiles(r.fs) {
		if known == name {
			return offset <= int64(len(r.fs.Read(file)))
		}
	}
	return false
}
