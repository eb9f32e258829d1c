package sim

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"time"

	"paxosbench/replica/journal"
	"paxosbench/replica/journal/memfs"
	"paxosbench/replica/snapshot"
)

// rot ends the process, in good order or not, and damages what had been synced. What the journal cannot tell from a
// torn tail is only the last group of a process that was killed; everything else must be noticed by the next life.
func (r *replica) rot() {
	if !r.up || r.forgetful || r.durability != journal.DurabilityFsync || !r.mayForget() {
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
		if name != "lock" && !strings.HasPrefix(name, "damaged-") && !strings.Contains(name, ".new") && len(r.fs.Read(dataDir+"/"+name)) > 0 {
			names = append(names, name)
		}
	}
	name = dataDir + "/" + names[r.w.rng.IntN(len(names))]
	return name, r.fs.Read(name)
}

// putRight does what an operator does about a disk that is refused.
func (r *replica) putRight(refusal error) {
	w := r.w
	if errors.Is(refusal, errTail) {
		r.replaceDisk(true)
		return
	}
	w.counts.RefusedStarts++
	if w.chance(0.5) {
		r.replaceDisk(true)
		return
	}
	r.repair()
}

// repair sets the data aside. Power may be lost meanwhile; what the disk holds then says whether the repair has begun, and with it
// that the replica has forgotten what it voted.
func (r *replica) repair() {
	w := r.w
	identity, aside := r.fs.Read(dataDir+"/identity"), len(r.asides())
	if w.chance(0.5) {
		last := r.fs.Calls() + w.rng.IntN(30)
		r.fs.SetHook(func(c memfs.Call) error {
			if c.N >= last {
				return errDisk
			}
			return nil
		})
	}
	err := journal.Repair(r.journalOptions(again), time.Unix(1+int64(w.now/time.Second), 0))
	r.fs.SetHook(nil)
	if err != nil {
		w.counts.BrokenRepairs++
		r.fs = r.fs.Crash(w.rng.Uint64())
	}
	w.counts.Repairs++
	w.logf("%d is repaired: %v", r.id, err)
	if len(r.asides()) > aside && !bytes.Equal(r.fs.Read(dataDir+"/identity"), identity) {
		r.replaceDisk(false)
		r.forgetful = true
	}
}

// asides returns the directories for what repairs have set aside.
func (r *replica) asides() []string {
	return slices.DeleteFunc(sortedFiles(r.fs), func(name string) bool { return !strings.HasPrefix(name, "damaged-") })
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
