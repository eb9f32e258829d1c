package front

import (
	"encoding/json"
	"fmt"
	"io"

	"paxosbench/replica/machine"
)

// A snapshot begins with a line of JSON, the addresses that leaders have announced; our state machine's own format follows.
// (Not a json.Decoder's business: it reads further than the line.)

// Snapshot is the state after one entry, while the state goes on.
type Snapshot struct {
	front     *Front
	addresses []byte
	state     *machine.Snapshot
}

// snapshotPart is how many bytes are copied while nothing is applied.
const snapshotPart = 64 << 10

// Snapshot fixes the state after the newest entry applied. It is called between two entries, and once at a time: after a call of WriteTo or
// Cancel the next one may come.
func (f *Front) Snapshot() (*Snapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	addresses, err := json.Marshal(f.addresses)
	if err != nil {
		return nil, err
	}
	return &Snapshot{front: f, addresses: append(addresses, '\n'), state: f.state.BeginSnapshot()}, nil
}

// WriteTo implements io.WriterTo. Entries are applied meanwhile.
func (s *Snapshot) WriteTo(w io.Writer) (total int64, err error) {
	defer s.Cancel()
	part, done := s.addresses, false
	for {
		n, err := w.Write(part)
		total += int64(n)
		if err != nil || done {
			return total, err
		}
		if part, done, err = s.next(part[:0]); err != nil {
			return total, err
		}
	}
}

func (s *Snapshot) next(dst []byte) (part []byte, done bool, err error) {
	s.front.mu.Lock()
	defer s.front.mu.Unlock()
	return s.state.Next(dst, snapshotPart)
}

// Cancel ends the snapshot early. After its end it does nothing.
func (s *Snapshot) Cancel() {
	s.front.mu.Lock()
	defer s.front.mu.Unlock()
	s.state.Cancel()
}

// Restore replaces the state by one that a snapshot holds.
func (f *Front) Restore(r io.Reader) error {
	line, err := readLine(r)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	var addresses [len(f.addresses)]string
	if err := json.Unmarshal(line, &addresses); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	restorer := machine.NewRestorer(machine.New(machine.KindKV, machine.HashKey{A: random(), B: random()}), machine.DefaultConfig())
	if _, err := io.Copy(restorerWriter{restorer}, r); err != nil {
		return err
	}
	state, err := restorer.Finish()
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state, f.addresses = state, addresses
	return nil
}

// readLine reads up to the first line end and no further.
func readLine(r io.Reader) (line []byte, err error) {
	var b [1]byte
	for len(line) == 0 || line[len(line)-1] != '\n' {
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return nil, err
		}
		line = append(line, b[0])
	}
	return line, nil
}

// restorerWriter makes an io.Writer of a Restorer.
type restorerWriter struct{ restorer *machine.Restorer }

func (w restorerWriter) Write(p []byte) (int, error) { return len(p), w.restorer.Write(p) }
