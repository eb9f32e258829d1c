package cluster

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// sleeping starts a process that is no replica.
func sleeping(t *testing.T) *child {
	t.Helper()
	started, err := startProcess(filepath.Join(t.TempDir(), "log"), "sleep", []string{"60"}, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := started.kill(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return started
}

// A process id that the system has used again is that of another process: it gets no signal, whatever is to be done.
func TestReusedProcessIDsAreSpared(t *testing.T) {
	stranger := sleeping(t)
	for name, was := range map[string]string{
		"another process": stranger.Started + "0", "another start of the host": "x" + stranger.Started, "nothing known": "",
	} {
		dir := t.TempDir()
		state := State{Format: stateFormat, Cluster: "7", Members: []Member{{ID: 1, Process: &Process{stranger.PID, was}}},
			Network: &Network{Process: &Process{stranger.PID, was}}}
		if err := state.write(dir); err != nil {
			t.Fatal(err)
		}
		c, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"kill", "stop", "cont"} {
			if err := c.Act(t.Context(), name, 1); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "replica 1 is not running") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if up, err := c.Up(); up || err != nil {
			t.Errorf("%s is taken for a cluster: %v", name, err)
		}
		if err := errors.Join(c.Down(t.Context()), c.remove(t.Context())); err != nil {
			t.Error(err)
		}
	}
	if !stranger.Alive() || stranger.hung() {
		t.Error("a process that belongs to nobody here got a signal")
	}
}

// What another program has started can be acted on through the directory alone, also when it is a zombie there.
func TestAnyProgramActsOnACluster(t *testing.T) {
	owner := started(t, config(t, 3))
	other, err := Open(owner.Dir())
	if err != nil {
		t.Fatal(err)
	}
	first := leader(t, other)
	for _, name := range []string{"stop", "cont", "kill"} {
		if err := other.Act(t.Context(), name, first); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		hung := name == "stop"
		if m, err := owner.Member(first); err != nil || m.Process.hung() != hung || m.Alive() != (name != "kill") {
			t.Errorf("after %s: %v", name, err)
		}
	}
	if err := owner.Err(); err != nil {
		t.Errorf("a death on purpose is reported: %v", err)
	}
	if second := leader(t, owner); second == first {
		t.Errorf("replica %d leads though it was killed", first)
	}
	if err := owner.Act(t.Context(), "isolate", first); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "--netem") {
		t.Errorf("isolated without a network: %v", err)
	}
	if err := other.Act(t.Context(), "start", first); err != nil {
		t.Error(err)
	}
	m, err := owner.Member(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Down(t.Context()); err != nil {
		t.Error(err)
	}
	if m.Alive() {
		t.Error("a replica that another program has started survives")
	}
}

// A leader that is cut off is replaced; healed, it follows.
func TestIsolatedLeader(t *testing.T) {
	netem := config(t, 3)
	netem.Netem = true
	c := started(t, netem)
	first := leader(t, c)
	if err := c.Act(t.Context(), "isolate", first); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := until(ctx, func() bool { return leader(t, c) != first }); err != nil {
		t.Fatal("nobody else leads")
	}
	if err := c.Act(t.Context(), "heal", first); err != nil {
		t.Fatal(err)
	}
	if err := until(ctx, func() bool { return c.settled(ctx) }); err != nil {
		t.Fatal("the cluster does not come together again")
	}
}

// Clusters that are started at the same moment are different ones, and each is known by its id.
func TestExpectedCluster(t *testing.T) {
	a, b := newID(), newID()
	if a == b {
		t.Fatalf("two clusters have the id %s", a)
	}
	dir := t.TempDir()
	if err := (&State{Format: stateFormat, Cluster: a}).write(dir); err != nil {
		t.Fatal(err)
	}
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Expect(a); err != nil {
		t.Error(err)
	}
	if err := c.Expect(b); !errors.Is(err, ErrOtherCluster) || !strings.Contains(err.Error(), a) || !strings.Contains(err.Error(), b) {
		t.Errorf("expected another one: %v", err)
	}
}

// A start that fails loses nothing of the cluster before it.
func TestFailedStartLosesNothing(t *testing.T) {
	good := config(t, 1)
	good.Tied, good.Flags = false, []string{"--durability", "os"} // as people start them
	c, err := Start(t.Context(), good)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := tree(t, good.Dir)
	for _, keep := range []bool{false, true} {
		bad := good
		bad.Flags, bad.Keep = []string{"--no-such-flag"}, keep
		if _, err := Start(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "no-such-flag") {
			t.Fatalf("started with an unknown flag: %v", err)
		}
		if _, err := os.Stat(filepath.Join(good.Dir, failedDir, "replica-1.log")); err != nil {
			t.Errorf("the log is gone: %v", err)
		}
		if err := os.RemoveAll(filepath.Join(good.Dir, failedDir)); err != nil {
			t.Fatal(err)
		}
		if after := tree(t, good.Dir); !slices.Equal(after, before) {
			t.Errorf("keep %v: the directory had %q, and has %q", keep, before, after)
		}
	}
	good.Keep = true // the data is whole
	if c, err = Start(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// tree lists the files below a directory.
func tree(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, strings.TrimPrefix(path, dir))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// fill makes files, each with its own name in it, and state files of clusters that have started or not.
func fill(t *testing.T, dir string, files ...string) {
	t.Helper()
	for _, name := range files {
		name, isStarted := strings.CutSuffix(name, "!")
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		err := os.WriteFile(path, []byte(name), 0o644)
		if filepath.Base(name) == stateFile {
			s := &State{Format: stateFormat, Cluster: name, Started: isStarted}
			err = s.write(filepath.Dir(path))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A start may itself be interrupted anywhere; the next one finds the last cluster that was whole.
func TestInterruptedStartIsUndone(t *testing.T) {
	for name, tt := range map[string]struct{ before, after []string }{
		"setting aside":          {[]string{"aside/data/1", "logs/1", "cluster.json!"}, []string{"/cluster.json", "/data/1", "/logs/1"}},
		"all is aside":           {[]string{"aside/data/1", "aside/logs/1", "aside/cluster.json!"}, []string{"/cluster.json", "/data/1", "/logs/1"}},
		"starting":               {[]string{"aside/data/1", "aside/logs/1", "aside/cluster.json!", "data/2", "logs/2", "cluster.json"}, []string{"/cluster.json", "/data/1", "/logs/1"}},
		"starting on kept data":  {[]string{"aside/logs/1", "aside/cluster.json!", "data/1", "logs/2", "cluster.json"}, []string{"/cluster.json", "/data/1", "/logs/1"}},
		"starting the first one": {[]string{"aside/", "data/1", "logs/1", "cluster.json"}, nil},
		"started":                {[]string{"aside/data/1", "aside/cluster.json!", "data/2", "logs/2", "cluster.json!"}, []string{"/cluster.json", "/data/2", "/logs/2"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, asideDir), 0o755); err != nil {
				t.Fatal(err)
			}
			fill(t, dir, slices.DeleteFunc(tt.before, func(name string) bool { return name == "aside/" })...)
			c, err := newCluster(dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.recoverAside(); err != nil {
				t.Fatal(err)
			}
			if got := tree(t, dir); !slices.Equal(got, tt.after) {
				t.Errorf("left is %q, want %q", got, tt.after)
			}
		})
	}
}

// A directory that only looks like a cluster's belongs to someone: nothing is started in it, nothing in it is removed.
func TestForeignDirectoriesAreSpared(t *testing.T) {
	for name, files := range map[string][]string{
		"data":           {"data/mine"},
		"logs":           {"logs/mine"},
		"a state":        {"cluster.json.txt", "data/mine"},
		"a foreign file": {"data/mine", "logs/mine", "notes"},
	} {
		dir := filepath.Join(t.TempDir(), "mine")
		fill(t, dir, files...)
		if name == "a state" {
			if err := os.Rename(filepath.Join(dir, "cluster.json.txt"), filepath.Join(dir, stateFile)); err != nil {
				t.Fatal(err)
			}
		}
		before := tree(t, dir)
		here := config(t, 1)
		here.Dir = dir
		if _, err := Start(t.Context(), here); err == nil {
			t.Errorf("%s: started", name)
		}
		if removed, err := Clean(t.Context(), filepath.Dir(dir)); len(removed) > 0 || err != nil {
			t.Errorf("%s: removed %q, %v", name, removed, err)
		}
		if after := tree(t, dir); !slices.Equal(after, before) {
			t.Errorf("%s: there was %q, and there is %q", name, before, after)
		}
	}
}

// What clusters leave is removed with everything they have made, and nothing else.
func TestCleanRemovesClustersOnly(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir, "cluster.json!", "data/1/segment", "logs/replica-1.log", "quick/cluster.json!", "quick/data/1", "quick/mine",
		"failed/cluster.json", "failed/replica-1.log", "deep/er/aside/cluster.json!", "deep/er/aside/data/1", "other/data/1")
	removed, err := Clean(t.Context(), dir)
	if err != nil || len(removed) != 3 {
		t.Errorf("removed %q, %v", removed, err)
	}
	if got := tree(t, dir); !slices.Equal(got, []string{"/other/data/1", "/quick/mine"}) {
		t.Errorf("left is %q", got)
	}
}

// One program at a time changes a cluster, also when its directory is removed and made again meanwhile.
func TestLockIsOfTheDirectoryOfThatName(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cluster")
	fill(t, dir, "notes")
	unlock, err := lock(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := lock(ctx, dir); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("locked twice: %v", err)
	}
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	again, err := lock(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	again()
	unlock()
}

// A child whose end nobody has waited for yet has ended.
func TestZombiesHaveEnded(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	started, _, err := identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	p := &Process{cmd.Process.Pid, started}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := until(ctx, func() bool { return !p.Alive() }); err != nil {
		t.Error("a zombie counts as alive")
	}
	if err := p.signal(0); !errors.Is(err, errGone) {
		t.Errorf("a zombie can be signalled: %v", err)
	}
}

// What a measurement that was killed leaves is removed by the next one, with the processes in it; what is in use or belongs to
// someone is not.
func TestScratchIsSweptAway(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "[results]")
	fill(t, dir, "scratch/mine", ".run-1/mine")
	inUse, err := NewScratch(dir, ".run")
	if err != nil {
		t.Fatal(err)
	}
	abandoned, err := NewScratch(dir, ".run")
	if err != nil {
		t.Fatal(err)
	}
	left := config(t, 1, "--unreplicated")
	left.Dir, left.Tied = filepath.Join(abandoned.Dir(), "cluster"), false
	c, err := Start(t.Context(), left)
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Member(1)
	if err != nil {
		t.Fatal(err)
	}
	if err := abandoned.Keep(); err != nil {
		t.Fatal(err)
	}
	if _, err := Clean(t.Context(), dir); !errors.Is(err, ErrRefused) {
		t.Errorf("cleaned away while a replica runs: %v", err)
	}
	if err := Sweep(t.Context(), dir); err != nil {
		t.Error(err)
	}
	if m.Alive() {
		t.Error("a replica that was left runs on")
	}
	want := []string{"/.run-1/mine", strings.TrimPrefix(inUse.Dir(), dir) + "/" + scratchMark, "/scratch/mine"}
	if got := tree(t, dir); !slices.Equal(got, want) {
		t.Errorf("there is %q, want %q", got, want)
	}
	if _, err := Clean(t.Context(), dir); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), inUse.Dir()) {
		t.Errorf("cleaned away while in use: %v", err)
	}
	if err := inUse.Keep(); err != nil {
		t.Fatal(err)
	}
	if removed, err := Clean(t.Context(), dir); err != nil || !slices.Equal(removed, []string{inUse.Dir()}) {
		t.Errorf("removed %q, %v", removed, err)
	}
}
