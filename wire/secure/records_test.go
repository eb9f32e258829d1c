package secure_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"paxosbench/wire/secure"
)

// ends returns what the two ends of a connection encrypt and decrypt with.
func ends(t testing.TB) (near, far *secure.Records) {
	t.Helper()
	trust := newTrust(t)
	client, server, errs := meet(t, trust.load(loadgen), trust.load(one), only(one), only(loadgen))
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	_, near = client.Part()
	_, far = server.Part()
	return near, far
}

// seal encrypts what must be encrypted.
func seal(t testing.TB, r *secure.Records, plain ...[]byte) []byte {
	t.Helper()
	out, err := r.Seal(nil, plain...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// expect decrypts what must be decrypted.
func expect(t testing.TB, r *secure.Records, ciphertext []byte, want string) {
	t.Helper()
	if plain, err := r.Open(nil, ciphertext); err != nil || string(plain) != want {
		t.Fatalf("%d bytes have become %d and %v, want %d bytes", len(ciphertext), len(plain), err, len(want))
	}
}

// What goes in at one end comes out at the other, in both directions, however it is cut, and behind what was in the slices before.
func TestRecords(t *testing.T) {
	near, far := ends(t)
	random := rand.New(rand.NewPCG(1, 2))
	for _, way := range [][2]*secure.Records{{near, far}, {far, near}} {
		sent, sealed, got := []byte(nil), []byte("before"), []byte("before")
		for size := 1; size < 300<<10; size = size*3 + 1 {
			text := make([]byte, size)
			for i := range text {
				text[i] = byte(random.Uint32())
			}
			sent = append(sent, text...)
			out, err := way[0].Seal(sealed, text[:size/2], text[size/2:])
			if err != nil {
				t.Fatal(err)
			}
			if limit := len(sealed) + size + (size/(16<<10)+2)*secure.Overhead; len(out) > limit {
				t.Errorf("%d bytes have become %d", size, len(out)-len(sealed))
			}
			sealed = out
		}
		for rest := sealed[len("before"):]; len(rest) > 0; {
			n := min(len(rest), 1+random.IntN(1<<random.IntN(18)))
			var err error
			if got, err = way[1].Open(got, rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
			if held := way[1].Held(); held > 40<<10 || way[1].Partial() != (held > 0) {
				t.Fatalf("%d bytes are held of a record", held)
			}
		}
		if string(got) != "before"+string(sent) {
			t.Errorf("what has come is not what was sent")
		}
		if way[1].Held() != 0 {
			t.Errorf("%d bytes are held of no record", way[1].Held())
		}
	}
}

// crypto/tls goes on where it was after it has been told that there is nothing to read, before a record and behind the parts of a
// message of the handshake. If this fails with a new Go, Records must not be used with it.
func TestWaitsForARecord(t *testing.T) {
	out, in, far := forgers(t)
	expect(t, far, nil, "")
	for _, part := range keyUpdate(true) {
		expect(t, far, out.seal(typeHandshake, []byte{part}), "")
	}
	out.renew()
	expect(t, far, out.seal(typeData, []byte("under a new key")), "under a new key")
	sealed := seal(t, far, []byte("hi"))
	kind, content, rest := in.open(sealed)
	if kind != typeHandshake || !bytes.Equal(content, keyUpdate(false)) {
		t.Fatalf("the answer is %d %x", kind, content)
	}
	in.renew()
	in.expect(rest, "23 6869")
}

// The last words of a side come before its end, and it may hear more itself.
func TestClose(t *testing.T) {
	near, far := ends(t)
	said := near.Close(seal(t, near, []byte("last words")))
	plain, err := far.Open(nil, append(said, "what is behind the end does not count"...))
	if string(plain) != "last words" || err != io.EOF {
		t.Errorf("%q and %v, want the end", plain, err)
	}
	expect(t, near, seal(t, far, []byte("an answer")), "an answer")
	if _, err := near.Seal(nil, []byte("more")); err == nil {
		t.Error("more is said after the last words")
	}
	if _, err := near.Open(nil, far.Close(nil)); err != io.EOF {
		t.Errorf("%v, want the end", err)
	}
}

// What is not right ends the connection, whatever comes behind it, and the other side is told why.
func TestBadRecords(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil      func(record []byte) []byte
		want, told string
	}{
		"a bit":          {func(r []byte) []byte { r[len(r)/2] ^= 1; return r }, "bad record MAC", "bad record MAC"},
		"its length":     {func(r []byte) []byte { r[3], r[4] = 0xff, 0xff; return r[:5] }, "oversized record", "record overflow"},
		"its version":    {func(r []byte) []byte { r[1] = 9; return r }, "version", "protocol version"},
		"twice":          {func(r []byte) []byte { return append(r, r...) }, "bad record MAC", "bad record MAC"},
		"plain":          {func([]byte) []byte { return []byte("PX is not TLS, and never was any") }, "version", "protocol version"},
		"an alert":       {func([]byte) []byte { return []byte{21, 3, 3, 0, 2, 2, 40} }, "bad record MAC", "bad record MAC"},
		"its type":       {func(r []byte) []byte { r[0] = 99; return r }, "bad record MAC", "bad record MAC"},
		"empty ones":     {func([]byte) []byte { return bytes.Repeat([]byte{20, 3, 3, 0, 1, 1}, 18) }, "too many ignored records", "unexpected message"},
		"none behind it": {func(r []byte) []byte { return r[:4] }, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			near, far := ends(t)
			expect(t, far, seal(t, near, []byte("right")), "right")
			bad := tt.spoil(seal(t, near, make([]byte, 100)))
			_, err := far.Open(nil, bad)
			if tt.want == "" {
				if err != nil || !far.Partial() {
					t.Errorf("%v, and a record that has begun: %v", err, far.Partial())
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
			if plain, again := far.Open(nil, seal(t, near, []byte("right"))); len(plain) > 0 || again != err {
				t.Errorf("%q and %v come behind it", plain, again)
			}
			if _, err := near.Open(nil, far.Close(nil)); err == nil || !strings.Contains(err.Error(), "remote error: tls: "+tt.told) {
				t.Errorf("the other side hears %v, want %q", err, tt.told)
			}
		})
	}
}

// Records that bring nothing are bounded, also where others come between, and so is what they are answered.
func TestUselessRecords(t *testing.T) {
	for name, tt := range map[string]struct {
		kind    byte
		content []byte
		text    string // behind each
		answer  string // to that
		most    int    // that are taken
	}{
		"keys":                    {typeHandshake, keyUpdate(false), "", "", 17},
		"keys among others":       {typeHandshake, keyUpdate(false), "x", "", 50},
		"both keys among others":  {typeHandshake, keyUpdate(true), "x", "", 50},
		"both keys, and answered": {typeHandshake, keyUpdate(true), "x", "y", 1000},
		"empty":                   {typeData, nil, "x", "", 50},
		"of zeros":                {0, make([]byte, 16000), "", "", 0},
		"alerts of no meaning":    {typeAlert, []byte{1, 90}, "x", "", 50},
		"of an endless message":   {typeHandshake, append([]byte{4, 0, 0xff, 0xff}, make([]byte, 16000)...), "", "", 0},
		"small parts of one":      {typeHandshake, []byte{4, 0, 0xff, 0xff}, "", "", 50},
	} {
		out, _, far := forgers(t)
		taken := 0
		for ; taken < 1000; taken++ {
			if _, err := far.Open(nil, out.seal(tt.kind, tt.content)); err != nil {
				break
			}
			if tt.content != nil && tt.content[0] == 24 {
				out.renew()
			}
			if tt.text != "" {
				expect(t, far, out.seal(typeData, []byte(tt.text)), tt.text)
			}
			if tt.answer != "" {
				seal(t, far, []byte(tt.answer))
			}
		}
		if taken > tt.most || tt.most == 1000 && taken != tt.most {
			t.Errorf("%s: %d are taken, want %d at most", name, taken, tt.most)
		}
		if held := len(far.Close(nil)); held > 2<<10 {
			t.Errorf("%s: %d bytes of answers", name, held)
		}
	}
}

// Nothing allocates but crypto/tls, the reader that it makes for each record, twice for long ones.
func TestRecordsAllocateNothing(t *testing.T) {
	near, far := ends(t)
	for _, size := range []int{20, 16 << 10, 200 << 10} {
		text := make([]byte, size)
		sealed, plain := make([]byte, 0, 2*size+1000), make([]byte, 0, size+32<<10)
		records := size/(16<<10) + 1
		allocs := testing.AllocsPerRun(100, func() {
			out, err := near.Seal(sealed, text)
			if err != nil {
				t.Fatal(err)
			}
			sealed = out[:0]
		})
		if allocs > 0 && !raceDetector {
			t.Errorf("sealing %d bytes allocates %v times", size, allocs)
		}
		near, far = ends(t)
		allocs = testing.AllocsPerRun(100, func() {
			out, _ := near.Seal(sealed, text)
			cut := len(out) / 3
			plain, _ = far.Open(plain[:0], out[:cut])
			plain, err := far.Open(plain, out[cut:])
			if err != nil || len(plain) != size {
				t.Fatal(err)
			}
		})
		if limit := float64(2*records) + 4; allocs > limit && !raceDetector {
			t.Errorf("opening %d bytes allocates %v times, want at most %v", size, allocs, limit)
		}
	}
}

// A connection that is parted has read nothing but the handshake: what comes at once behind that is in the socket.
func TestPartReadsNothing(t *testing.T) {
	trust := newTrust(t)
	dialled, accepted := sockets(t)
	defer dialled.Close()
	said := make(chan error, 1)
	go func() {
		conn, _, err := trust.load(loadgen).Dialled(t.Context(), dialled, anyone)
		if err == nil {
			_, err = conn.Write([]byte("at once"))
		}
		said <- err
	}()
	time.Sleep(50 * time.Millisecond) // what has come does not matter, but the more the better
	conn, _, err := trust.load(one).Server(t.Context(), accepted, anyone, nil)
	if err := errors.Join(err, <-said); err != nil {
		t.Fatal(err)
	}
	tcp, records := conn.Part()
	defer tcp.Close()
	if nc, ok := any(tcp).(net.Conn); !ok || nc != accepted {
		t.Error("another socket")
	}
	buffer := make([]byte, 1<<10)
	n, err := tcp.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, records, buffer[:n], "at once")
}

// Who has no loop uses the connection as it is.
func TestConnIsUsedAsAnyOther(t *testing.T) {
	trust := newTrust(t)
	near, far, errs := meet(t, trust.load(loadgen), trust.load(one), anyone, anyone)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	text := bytes.Repeat([]byte("many words "), 10_000)
	go func() {
		_, _ = far.Write(text)
		_ = far.Close()
	}()
	if got, err := io.ReadAll(near); err != nil || !bytes.Equal(got, text) {
		t.Errorf("%d bytes and %v, want %d and the end", len(got), err, len(text))
	}
	if state := near.ConnectionState(); state.Version != tls.VersionTLS13 {
		t.Errorf("version %x", state.Version)
	}
}

// Whatever comes, there is an error or what was sent, and no panic.
func FuzzOpen(f *testing.F) {
	f.Add([]byte{3, 0, 0, 0}, uint16(7))
	f.Add([]byte{0, 1, 0xff, 1, 40, 2, 2, 2, 0, 0, 9}, uint16(1000))
	trust := newTrust(f)
	client, server := trust.load(loadgen), trust.load(one)
	f.Fuzz(func(t *testing.T, mutations []byte, cut uint16) {
		near, far, errs := meet(t, client, server, anyone, anyone)
		if err := errors.Join(errs[:]...); err != nil {
			t.Fatal(err)
		}
		_, in := near.Part()
		_, out := far.Part()
		sent := bytes.Repeat([]byte("plain text "), 1+int(cut)*7%5000)
		sealed := seal(t, in, sent, sent[:1], sent[:len(sent)/2])
		sent = append(append(sent, sent[0]), sent[:len(sent)/2]...)
		right := true
		for ; len(mutations) > 3; mutations = mutations[3:] { // place, change
			at := (int(mutations[0])<<8 | int(mutations[1])) % len(sealed)
			sealed[at] ^= mutations[2]
			right = right && mutations[2] == 0
		}
		var got []byte
		var err error
		for rest := sealed; len(rest) > 0; {
			n := min(len(rest), 1+int(cut)%9973)
			got, err = out.Open(got, rest[:n])
			rest = rest[n:]
			if out.Held() > 40<<10 {
				t.Fatalf("%d bytes are held", out.Held())
			}
		}
		if !bytes.HasPrefix(sent, got) || right && (err != nil || len(got) != len(sent)) {
			t.Errorf("%d bytes and %v of %d, changed: %v", len(got), err, len(sent), !right)
		}
		_ = out.Close(nil)
	})
}

// What an end holds while it is idle, and after a record of full length, is what docs/architecture.md says.
func TestMemoryOfRecords(t *testing.T) {
	trust := newTrust(t)
	client, server := trust.load(loadgen), trust.load(one)
	inUse := func() uint64 {
		var s runtime.MemStats
		runtime.GC()
		runtime.GC() // what is in pools
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	const pairs = 100
	var all [pairs][2]*secure.Records
	before := inUse()
	for i := range all {
		near, far, errs := meet(t, client, server, anyone, anyone)
		if err := errors.Join(errs[:]...); err != nil {
			t.Fatal(err)
		}
		for j, conn := range []*secure.Conn{near, far} {
			var tcp *net.TCPConn
			tcp, all[i][j] = conn.Part()
			_ = tcp.Close()
		}
	}
	idle := (inUse() - before) / (2 * pairs)
	for i := range all {
		for j := range all[i] {
			expect(t, all[i][1-j], seal(t, all[i][j], make([]byte, 16<<10)), string(make([]byte, 16<<10)))
		}
	}
	used := (inUse() - before) / (2 * pairs)
	t.Logf("%d bytes for each end after the handshake, %d after a record of full length", idle, used)
	if idle > 16<<10 || used > 32<<10 {
		t.Errorf("%d bytes for each end after the handshake, %d after a record of full length: want 16 and 32 KiB", idle, used)
	}
	runtime.KeepAlive(&all)
}
