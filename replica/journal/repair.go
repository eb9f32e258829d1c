package journal

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Repair sets the data of a directory aside that cannot be used any more, so that the next Open finds one whose replica has
// lost its disk: it learns everything from the others and votes again once it has caught up. now names what is set aside.
//
// At no step does the directory look like that of a replica that has never voted, or that still knows what it has:
//
//  1. the old identity is saved in damaged-TIME, a new directory within the directory;
//  2. the identity is replaced by one that says that the replica is amnesiac and under repair since TIME;
//  3. segments and snapshots are moved to damaged-TIME, one by one;
//  4. the identity says that the repair has ended.
//
// Up to step 2 it is damaged as before. From then on every Open, whatever its flags, goes on with step 3. Each step is done
// again if it is not known to have been done. The directory itself is never moved: it may be a mount point, or a link.
//
// If nothing is damaged but one of the two copies in the identity file, that is put right and nothing is set aside.
func Repair(opts Options, now time.Time) (err error) {
	opts, err = opts.withDefaults()
	if err != nil {
		return err
	}
	lock, err := lockDirectory(&opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	id, found, whole, err := readIdentity(opts.FS, opts.Dir)
	var corrupt *CorruptError
	switch {
	case err != nil && !errors.As(err, &corrupt):
		return err
	case found && whole && !id.matches(opts.Identity):
		return &IdentityError{File: filepath.Join(opts.Dir, identityName), Got: id.Identity, Want: opts.Identity}
	case err != nil && whole:
		opts.Logger.Warn("journal: a damaged copy in the identity file is replaced by the other one", "error", err)
		return writeIdentity(opts.FS, opts.Dir, &id)
	case !whole:
		id = identityFile{Identity: opts.Identity, met: everybody}
	}
	if id.repairing() {
		return continueRepair(&opts, &id)
	}
	return beginRepair(&opts, id, now)
}

// beginRepair does it all.
func beginRepair(opts *Options, id identityFile, now time.Time) error {
	names, err := opts.FS.List(opts.Dir)
	if err != nil {
		return err
	}
	for id.repair = uint64(now.Unix()); slices.Contains(names, setAsideName(&id)); {
		id.repair++ // an earlier repair has taken the name
	}
	if err := saveIdentity(opts, names, setAsideName(&id)); err != nil {
		return fmt.Errorf("journal: repair of %s cannot begin, nothing has changed: %w", opts.Dir, err)
	}
	id.flags = flagAmnesiac
	id.salt, id.synced, id.diverged = newSalt(opts.Salt)^id.repair, 0, 0 // never the old salt, not even if it was given
	if err := writeIdentity(opts.FS, opts.Dir, &id); err != nil {
		return fmt.Errorf("journal: repair of %s: %w", opts.Dir, err)
	}
	return continueRepair(opts, &id)
}

// setAsideName names the directory for what a repair sets aside.
func setAsideName(id *identityFile) string {
	return time.Unix(int64(id.repair), 0).UTC().Format(setAsidePrefix + "20060102T150405Z")
}

// saveIdentity makes the directory for what is set aside and copies the old identity there, as far as it can be read.
func saveIdentity(opts *Options, names []string, to string) error {
	aside := filepath.Join(opts.Dir, to)
	if err := opts.FS.MkdirAll(aside); err != nil {
		return err
	}
	if !slices.Contains(names, identityName) {
		return nil
	}
	old, err := readBlock(opts.FS, filepath.Join(opts.Dir, identityName))
	if corrupt := (*CorruptError)(nil); errors.As(err, &corrupt) {
		opts.Logger.Warn("journal: the old identity cannot be saved", "error", err)
		return nil
	}
	if err != nil {
		return err
	}
	return writeFile(opts.FS, aside, identityName, old)
}

// continueRepair moves what is left to be moved, and ends the repair.
func continueRepair(opts *Options, id *identityFile) error {
	aside := filepath.Join(opts.Dir, setAsideName(id))
	if err := setAside(opts, aside); err != nil {
		return fmt.Errorf("journal: repair of %s has begun, the next start goes on with it: %w", opts.Dir, err)
	}
	id.repair = 0
	if err := writeIdentity(opts.FS, opts.Dir, id); err != nil {
		return fmt.Errorf("journal: repair of %s has begun, the next start goes on with it: %w", opts.Dir, err)
	}
	opts.Logger.Warn("journal: the data is set aside, this replica learns everything anew; remove what is set aside once it votes again",
		"directory", aside)
	return nil
}

// setAside moves segments and snapshots to a directory.
func setAside(opts *Options, aside string) error {
	if err := opts.FS.MkdirAll(aside); err != nil {
		return err
	}
	names, err := opts.FS.List(opts.Dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !isOurs(name) || name == identityName || strings.HasPrefix(name, setAsidePrefix) {
			continue
		}
		if err := opts.FS.Rename(filepath.Join(opts.Dir, name), filepath.Join(aside, name)); err != nil {
			return err
		}
	}
	return errors.Join(opts.FS.SyncDir(aside), opts.FS.SyncDir(opts.Dir))
}
