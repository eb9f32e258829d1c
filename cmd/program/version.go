package program

import (
	"fmt"
	"runtime/debug"

	"github.com/alecthomas/kong"
)

// Version is what a program was built from.
type Version struct {
	Commit string `json:"commit"` // empty: unknown
	Dirty  bool   `json:"dirty"`  // the source had been changed since
	Go     string `json:"go"`
}

// ThisVersion is that of this program.
func ThisVersion() (v Version) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Go = info.GoVersion
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.modified":
			v.Dirty = s.Value == "true"
		}
	}
	return v
}

// String renders the version on one line.
func (v Version) String() string {
	commit, dirty := v.Commit, ""
	if commit == "" {
		commit = "unknown"
	}
	if v.Dirty {
		dirty = ", with changes"
	}
	return fmt.Sprintf("commit %s%s, built by %s", commit, dirty, v.Go)
}

// VersionFlag is --version.
type VersionFlag bool

// BeforeReset prints the version and ends the program. The parser calls it.
func (VersionFlag) BeforeReset(app *kong.Kong) error {
	_, err := fmt.Fprintln(app.Stdout, app.Model.Name, ThisVersion())
	app.Exit(ExitDone)
	return err
}
