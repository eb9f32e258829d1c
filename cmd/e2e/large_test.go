package e2e

import (
	"testing"
	"time"
)

// Gets that ask for far more than a frame holds, many at a time, are answered in as many frames as it takes.
func TestLargeReplies(t *testing.T) {
	beside(t)
	for _, reads := range []string{"log", "lease"} {
		t.Run(reads, func(t *testing.T) {
			beside(t)
			c := newCluster(t, 3, "--durability", "none", "--reads", reads)
			c.ready()
			load := c.load(2*time.Second, "--mix", "put:0.1,get:0.9", "--preload", "yes", "--keys", "16", "--value-size", "1MiB",
				"--conns", "1", "--clients", "1", "--window", "100")
			if code := load.exit(t, 60*time.Second); code != 0 && code != exitInvalid {
				t.Fatalf("loadgen ended with %d:\n%s", code, load.text())
			}
			if r := c.result(); r.Ops.OK == 0 || r.Ops.Failed != 0 || r.Ops.TimedOut != 0 {
				t.Fatalf("result: %+v", r)
			}
			c.agree()
		})
	}
}
