package replica

import (
	"os"
	"path/filepath"
	"testing"
)

// What a recovery may have to read is what it reads: segments and snapshots, under the names that they have.
func TestRecoverableCountsWhatIsRead(t *testing.T) {
	c := divergedConfig(t) // with a segment
	for name, size := range map[string]int{"snapshot-7": 100, "snapshot-9.new": 1000, "notes": 10000} {
		if err := os.WriteFile(filepath.Join(c.Data, name), make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, least := recoverable(c.Data), int64(minSegmentBytes); got < least || got%minSegmentBytes != 100 {
		t.Errorf("%d bytes to be read, want whole segments of %d and 100 more", got, least)
	}
}
