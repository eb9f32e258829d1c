package load

import (
	"bufio"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"paxosbench/bench/record"
	"paxosbench/wire/loopback"
)

// usage is what the process and the machine have used so far.
type usage struct {
	process time.Duration // CPU time of this process
	total   float64       // CPU time of all processors, idle included, in ticks
	steal   float64       // of it, taken by other guests
}

// clockTick is the unit of /proc/stat: USER_HZ, which is 100 on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// readUsage reads the clocks. Where /proc is missing, the machine's figures stay 0.
func readUsage() usage {
	var u usage
	var ru unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &ru); err == nil {
		u.process = time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
	}
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return u
	}
	// cpu user nice system idle iowait irq softirq steal guest guest_nice; guests are in user already.
	line, _, _ := strings.Cut(string(stat), "\n")
	fields := strings.Fields(line)
	for i, f := range fields[min(1, len(fields)):] {
		v, err := strconv.ParseFloat(f, 64)
		if err != nil || i > 7 {
			break
		}
		u.total += v
		if i == 7 {
			u.steal = v
		}
	}
	return u
}

// stealPercent returns the steal time between two readings, relative to all CPU time.
func stealPercent(before, after usage) float64 {
	if after.total <= before.total {
		return 0
	}
	return 100 * (after.steal - before.steal) / (after.total - before.total)
}

// describeHost describes the machine, and what it did during the measurement.
func describeHost(m *measurement) record.Host {
	name, _ := os.Hostname() // an unnamed host is described all the same
	host := record.Host{
		Name:              name,
		CPU:               cpuModel(),
		CPUs:              runtime.NumCPU(),
		Kernel:            kernelRelease(),
		Go:                runtime.Version(),
		CongestionControl: loopback.HostControl(),
		StealS:            (m.after.steal - m.before.steal) * clockTick.Seconds(),
		StealPercent:      stealPercent(m.before, m.after),
	}
	m.stops.describe(&host)
	return host
}

func kernelRelease() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

func cpuModel() string {
	file, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	defer file.Close()
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		if key, value, ok := strings.Cut(scanner.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
