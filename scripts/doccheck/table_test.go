package doccheck

import "regexp"

// shortening is what is run in place of what a page shows, where that would take long: the same with less of it.
type shortening struct {
	shown *regexp.Regexp
	run   string
}

func shorten(shown, run string) shortening { return shortening{regexp.MustCompile(shown), run} }

// shortenings are tried in this order, each on what those before it have made of a statement. One that fits nothing fails.
var shortenings = []shortening{
	shorten(`^(\./)?scripts/quickstart\.sh`, `$0 --duration 600ms`),
	shorten(`^scripts/profile\.sh`, `$0 --seconds 1`),
	shorten(`^scripts/reproduce\.sh smoke`, `scripts/reproduce.sh tiny.yaml`),
	shorten(`--pairs 10 --duration 2s`, `--pairs 1 --warmup 100ms --duration 200ms`),
	shorten(`--only batch=adaptive --repeats 6`, `--only 'batch=adaptive window=64' --repeats 1 --duration 200ms`),
	// That there are such benchmarks is seen without measuring them, and of all packages without linking each.
	shorten(`-run '\^\$' -bench ('.*') -benchtime 100ms -count 3 \./wire .*`, `-list $1 ./wire ./batching | grep Benchmark`),

	// So is that there is a campaign, of which a test of its own makes one duet.
	shorten(`^PAXOSBENCH_DUETS=20 .* go test \./cmd/bench -run DuetCampaign .*`, `go test ./cmd/bench -list DuetCampaign | grep TestDuetCampaign`),
	shorten(`--duet --pairs 16`, `--duet --pairs 1 --warmup 100ms --duration 200ms`),

	// On other hosts: whether the programs take it is what can be seen here.
	shorten(`^(bin/replica --id 1 .*)--tls /etc/paxosbench (.*)`, `$1$2 --insecure-listen --check`),
	shorten(`^bin/loadgen run --addrs host1:.*`, `$0 --check`),

	// The kill and the start lie within the run, with time for an election in between.
	shorten(`--duration \d+s( --quiet)? --at '\d+s kill leader' --at '\d+s start victim'`,
		`--duration 2000ms$1 --at '300ms kill leader' --at '1s start victim'`),
	shorten(`--closed --duration 20s`, `--closed --duration 4000ms`),
	shorten(`^sleep \d`, `sleep 1`),
	// Two generators have to measure at the same time to be merged, whichever gets a processor first.
	shorten(`--generator \d/2`, `$0 --duration 3000ms`),

	shorten(`^bin/loadgen search`, `$0 --precision 0.9 --warmup 100ms --duration 200ms`),
	shorten(` --precision 0\.3`, ``),
	shorten(` --warmup 500ms`, ``),
	shorten(`^bin/loadgen ramp`, `$0 --steps 2`),
	// What follows counts, so whoever says nothing measures for this long, and not for ten seconds after two; and there are
	// fewer keys to write before the load and to read after it.
	shorten(`^bin/loadgen (run|ramp)`, `$0 --warmup 100ms --duration 600ms --keys 1k`),
	shorten(`^bin/loadgen search`, `$0 --keys 1k`),
	shorten(` --duration \d+s\b`, ``),
}

// notRun are the commands that are only read, and why. One that no page shows fails.
var notRun = map[string]string{
	"go test ./...":                     "this test is a part of it",
	"make test":                         "this test is a part of it",
	"make check":                        "this test is a part of it",
	"go test ./scripts/doccheck -short": "this test is a part of it",
	"scripts/reproduce.sh":              "takes an hour and a half; the command before it does the same with one suite",
	"bin/replica --id 2 ...":            "is short for the line before it",
	"bin/replica --id 3 ...":            "likewise",
}

// optional are programs that a machine may lack: the gate wants nothing but Go.
var optional = []string{"make", "openssl"}

// elsewhere are the pages whose commands are not run here, and why. Their flags are looked up all the same.
var elsewhere = map[string]string{
	"docs/peers.md":   "servers of other people, which scripts/peers.sh installs and builds in minutes",
	"docs/targets.md": "a module beside this one, which a test of bench/load makes from the page and runs",
	"docs/client.md":  "a module beside this one, which a test of wire/client makes from the page and runs",
}

// readers are the commands that read a file like the one that a page shows; without one there is a reason.
var readers = map[string]struct{ command, unread string }{
	"docs/loadgen.md":        {command: "bin/loadgen run --check --addrs 127.0.0.1:1 --config"},
	"bench/suites/README.md": {command: "bin/bench run --dry-run"},
	"docs/peers.md":          {unread: "a system of other people, whose file bench/peers has and reads"},
}

// prepared makes what the pages take for granted: the programs, half a minute of calibration, one suite of the hour and a
// half of all of them, and one that is shorter than the shortest.
var prepared = []string{
	"scripts/cluster.sh --help",
	"cp results/2026-11-24/calibration.json results/calibration.json",
	"cp -r results/2026-11-24/batching results/batching",
	`sed 's/^  \(batch\|pipeline\):.*/  \1: [adaptive]/; s/^repeats.*/repeats: 1/; s/^duration.*/duration: 200ms/' ` +
		"bench/suites/smoke.yaml >tiny.yaml",
}
