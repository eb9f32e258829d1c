package bench

import (
	"bufio"
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"paxosbench/bench/suite"
	"paxosbench/wire/loopback"
)

// unknown stands in a manifest for what the machine does not tell.
const unknown = "unknown"

// DescribeHost describes this machine; dir is where data directories will be.
func DescribeHost(dir string) suite.Host {
	name, err := os.Hostname()
	if err != nil {
		name = unknown
	}
	host := suite.Host{
		Name: name, Kernel: unknown, CPU: unknown, CPUs: runtime.NumCPU(), Governor: unknown,
		Filesystem: filesystem(dir), Go: runtime.Version(), CongestionControl: loopback.HostControl(),
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		host.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	if model, ok := lookUp("/proc/cpuinfo", "model name"); ok {
		host.CPU = model
	}
	if governor, err := os.ReadFile("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"); err == nil {
		host.Governor = strings.TrimSpace(string(governor))
	}
	if total, ok := lookUp("/proc/meminfo", "MemTotal"); ok {
		host.Memory = memory(total)
	}
	return host
}

// lookUp finds the value of a key in a file of lines KEY: VALUE.
func lookUp(path, key string) (string, bool) {
	file, err := os.Open(path)
	if err != nil {
		return "", false
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if k, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}

// memory reads what /proc/meminfo writes: a number of KiB. It is 0 if that cannot be read.
func memory(text string) int64 {
	kib, ok := suite.Numeric(strings.TrimSuffix(text, " kB"))
	if !ok {
		return 0
	}
	return int64(kib) << 10
}

// filesystem returns the type of the file system that a directory is on: that of the longest mount point above it.
func filesystem(dir string) string {
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return unknown
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return unknown
	}
	best, kind := "", unknown
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line) // device, mount point, type, ...
		if len(fields) > 2 && isBelow(dir, fields[1]) && len(fields[1]) >= len(best) {
			best, kind = fields[1], fields[2]
		}
	}
	return kind
}

func isBelow(dir, mount string) bool {
	return mount == "/" || dir == mount || strings.HasPrefix(dir, mount+"/")
}

// Revision returns the commit that a program was built from, and whether the source had been changed since. Of a program
// that does not say, it is the state of the working tree that the program lies in.
func Revision(program string) (commit string, dirty bool) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return unknown, false
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value
		case "vcs.modified":
			dirty = s.Value == "true"
		}
	}
	if commit == "" {
		return workingTree(filepath.Dir(program))
	}
	return commit, dirty
}

// workingTree asks git.
func workingTree(dir string) (commit string, dirty bool) {
	head, err := exec.Command("git", "-C", dir, "rev-parse", "HEAD").Output()
	if err != nil {
		return unknown, false
	}
	changes, err := exec.Command("git", "-C", dir, "status", "--porcelain", "--untracked-files=no").Output()
	return strings.TrimSpace(string(head)), err != nil || len(changes) > 0
}

// Niceness returns the priority of this process, which its children inherit: 0 is the usual one, negative is raised.
func Niceness() int {
	raw, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		return 0
	}
	if runtime.GOOS == "linux" {
		return 20 - raw // the system call has no negative results
	}
	return raw
}
