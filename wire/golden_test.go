package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// readGolden returns the frames of testdata/golden.txt by name, and the text of each.
func readGolden(t *testing.T) (frames map[string][]byte, texts map[string]string) {
	t.Helper()
	file, err := os.ReadFile("testdata/golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	frames, texts = map[string][]byte{}, map[string]string{}
	for _, section := range strings.Split(string(file), "\n[")[1:] {
		name, text, _ := strings.Cut(section, "]\n")
		texts[name] = strings.TrimSpace(text)
		frames[name] = parseHex(t, text)
	}
	return frames, texts
}

// parseHex reads lines of hex, each with a remark behind a semicolon.
func parseHex(t *testing.T, text string) []byte {
	t.Helper()
	var digits strings.Builder
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, ";")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatalf("golden bytes: %v", err)
	}
	return b
}

const (
	goldenCluster = 0x1122334455667788
	goldenNonce   = 0x0102030405060708
)

var goldenSession = SessionID(3<<32 | 17)

// goldenRun is the run that the golden messages carry.
func goldenRun() []byte {
	command := AppendCommand(nil, OpPut, 0, []byte("k1"), []byte("v1"))
	return append(AppendRunHeader(nil, goldenSession, 41, 38, 1, len(command)), command...)
}

func frameOf(t Type, body []byte) []byte {
	frame := append(BeginFrame(nil), body...)
	EndFrame(frame, 0, t)
	return frame
}

func goldenRequest() []byte {
	frame := BeginFrame(nil)
	start := len(frame)
	frame = BeginRun(frame)
	frame = AppendCommand(frame, OpPut, 0, []byte("k1"), []byte("v1"))
	frame = AppendCommand(frame, OpGet, 0, []byte("k2"), nil)
	frame = AppendCommand(frame, OpDelete, 0, []byte("k3"), nil)
	frame = EndRun(frame, start, goldenSession, 41, 38, 3)
	start = len(frame)
	frame = BeginRun(frame)
	frame = AppendCompareAndSet(frame, 0, []byte("k4"), []byte("old"), []byte("new"))
	frame = AppendCompareAndSet(frame, FlagExpectAbsent, []byte("k5"), nil, []byte("new"))
	frame = EndRun(frame, start, goldenSession+1, 1, 0, 2)
	EndFrame(frame, 0, TypeRequest)
	return frame
}

func goldenAlike() []byte {
	frame := BeginFrame(nil)
	start := len(frame)
	frame = BeginRun(frame)
	frame = AppendCommand(frame, OpPut, 0, []byte("key1"), []byte("value1"))
	frame = AppendCommand(frame, OpPut, 0, []byte("key2"), []byte("value2"))
	frame = EndRunAlike(frame, start, goldenSession, 44, 43, 2)
	EndFrame(frame, 0, TypeRequest)
	return frame
}

func goldenReply() []byte {
	frame := BeginFrame(nil)
	start := len(frame)
	frame = BeginReplyRun(frame)
	frame = AppendResult(frame, StatusOK, nil)
	frame = AppendResult(frame, StatusOK, []byte("v2"))
	frame = AppendResult(frame, StatusNotFound, nil)
	EndReplyRun(frame, start, goldenSession, 41, 3)
	frame = AppendUniformReply(frame, goldenSession+1, 1, 2, StatusOK)
	frame = AppendUniformReply(frame, goldenSession+2, 9, 100, StatusGap)
	EndFrame(frame, 0, TypeReply)
	return frame
}

func goldenRegistration() (request, reply []byte) {
	register := AppendCommand(nil, OpRegister, 0, nil, nil)
	request = append(AppendRunHeader(nil, 0, goldenNonce, 0, 1, len(register)), register...)
	reply = AppendResult(BeginReplyRun(nil), StatusOK, binary.LittleEndian.AppendUint64(nil, uint64(goldenSession)))
	EndReplyRun(reply, 0, 0, goldenNonce, 1)
	return frameOf(TypeRequest, request), frameOf(TypeReply, reply)
}

func goldenQuery() (query, reply []byte) {
	gets := AppendCommand(nil, OpGet, 0, []byte("k1"), nil)
	gets = AppendCommand(gets, OpGet, 0, []byte("k2"), nil)
	query = append(AppendRunHeader(nil, goldenSession, 7, 0, 2, len(gets)), gets...)
	reply = AppendResult(BeginReplyRun(nil), StatusOK, []byte("v1"))
	reply = AppendResult(reply, StatusNotFound, nil)
	EndReplyRun(reply, 0, goldenSession, 7, 2)
	return frameOf(TypeQuery, query), frameOf(TypeQueryReply, reply)
}

func goldenPeerHello() *PeerHello {
	return &PeerHello{Cluster: goldenCluster, Incarnation: 0xb1b2b3b4b5b6b7b8, From: 1, To: 3, Lane: LaneBulk,
		Met: Members(0).With(3), MetBy: Members(0).With(2).With(3), Settings: someSettings()}
}

func goldenEntries(slots ...Slot) []byte {
	run := goldenRun()
	var body []byte
	for _, slot := range slots {
		ballot := MakeBallot(7, 2)
		if slot == 103 {
			ballot = MakeBallot(8, 1)
		}
		body = AppendEntry(body, &Entry{Slot: slot, Ballot: ballot, Payload: Payload{RawLen: uint32(len(run)), BodyCRC: Checksum(run), Body: run}})
	}
	return body
}

// goldenMessages returns the messages of testdata/golden.txt.
func goldenMessages() []Message {
	ballot, run := MakeBallot(9, 3), goldenRun()
	heartbeat, answer := NewHeartbeat(ballot, 5, 102, 103), NewHeartbeatReply(ballot, 5, 102, 103, 101)
	heartbeat.SetQuestion(102)
	answer.SetDigest(101, 0xd1)
	return []Message{
		NewPreVote(ballot, 100),
		NewPreVoteReply(ballot, false, MakeBallot(9, 1), 0),
		NewPrepare(ballot, 101, 64<<10),
		NewPromise(ballot, 100, 101, 103, true, goldenEntries(101, 103)),
		NewAccept(ballot, 101, 100, Payload{RawLen: uint32(len(run)), Body: run, BodyCRC: Checksum(run)}),
		NewAccepted(ballot, 101, 103, 100),
		NewReject(ballot, MakeBallot(10, 1), 99),
		heartbeat,
		answer,
		NewFetch(90, 102, 64<<10),
		NewEntries(90, 90, 102, goldenEntries(90)),
		NewSnapshotFetch(80, 4096, 64<<10),
		NewSnapshotChunk(80, 4100, 4096, []byte("tail")),
		NewRejoin(0x5eed),
		NewRejoinReply(0x5eed, ballot, 103),
		NewDiverged(ballot, 101, &Digests{1: {Known: true, Value: 0xd1}, 3: {Known: true, Value: 0xd2}}),
	}
}

func appendMessage(dst []byte, m *Message) []byte {
	return append(AppendMessageHeader(dst, m), m.Body...)
}

func TestEncodersMatchGoldenBytes(t *testing.T) {
	golden, _ := readGolden(t)
	request, reply := goldenRegistration()
	query, queryReply := goldenQuery()
	encoded := map[string][]byte{
		"ClientHello": AppendClientHello(nil, ClientHello{Cluster: goldenCluster, Window: 4096}),
		"Welcome": AppendWelcome(nil, Welcome{Cluster: goldenCluster, Ballot: MakeBallot(7, 2), Window: 1024,
			Replica: 3, Leader: 2, Reads: ReadsIndex, Alike: true, LeaderAddr: "127.0.0.1:7002"}),
		"Request registration": request,
		"Reply registration":   reply,
		"Request":              goldenRequest(),
		"Request alike":        goldenAlike(),
		"Reply":                goldenReply(),
		"Redirect":             AppendRedirect(nil, Redirect{Ballot: MakeBallot(8, 1), Leader: 1, LeaderAddr: "127.0.0.1:7001"}),
		"Fault":                AppendFault(nil, "no"),
		"Query":                query,
		"QueryReply":           queryReply,
		"PeerHello":            AppendPeerHello(nil, goldenPeerHello()),
	}
	for _, m := range goldenMessages() {
		encoded[m.Type.String()] = appendMessage(nil, &m)
	}
	for _, name := range typeNames {
		if name != "" && golden[name] == nil {
			t.Errorf("no golden bytes for %s", name)
		}
	}
	for name, want := range golden {
		if got := encoded[name]; !bytes.Equal(got, want) {
			t.Errorf("%s:\n%s, want\n%s", name, hex.Dump(got), hex.Dump(want))
		}
	}
}

// decodeAny decodes a whole frame by its type, all the way down to commands and results.
func decodeAny(h Header, frame []byte) (any, error) {
	body := frame[h.Size:h.FrameLen()]
	switch h.Type {
	case TypeClientHello:
		return DecodeClientHello(frame), nil
	case TypeWelcome:
		return DecodeWelcome(frame)
	case TypeRequest, TypeQuery:
		return nil, walkFragment(body)
	case TypeReply, TypeQueryReply:
		return nil, walkReplies(body)
	case TypeRedirect:
		return DecodeRedirect(frame)
	case TypeFault:
		return DecodeFault(frame)
	case TypePeerHello:
		return DecodePeerHello(frame[:h.Size], body)
	}
	var m Message
	if err := DecodeMessageHeader(&m, h, frame); err != nil {
		return nil, err
	}
	m.Body = body
	return m, nil
}

func TestGoldenBytesDecode(t *testing.T) {
	golden, _ := readGolden(t)
	want := map[string]any{
		"ClientHello":          ClientHello{Cluster: goldenCluster, Window: 4096},
		"Welcome":              Welcome{goldenCluster, MakeBallot(7, 2), 1024, 3, 2, ReadsIndex, true, "127.0.0.1:7002"},
		"Request registration": nil,
		"Reply registration":   nil,
		"Request":              nil,
		"Request alike":        nil,
		"Reply":                nil,
		"Redirect":             Redirect{MakeBallot(8, 1), 1, "127.0.0.1:7001"},
		"Fault":                "no",
		"Query":                nil,
		"QueryReply":           nil,
		"PeerHello":            *goldenPeerHello(),
	}
	for _, m := range goldenMessages() {
		if m.Body == nil {
			m.Body = []byte{}
		}
		want[m.Type.String()] = m
	}
	for name, frame := range golden {
		h, err := DecodeHeader(frame)
		if err != nil || h.FrameLen() != len(frame) {
			t.Errorf("%s: %+v, %v", name, h, err)
			continue
		}
		if err := h.CheckBody(frame[h.Size:]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := decodeAny(h, frame); err != nil || !reflect.DeepEqual(got, want[name]) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want[name])
		}
	}
}

// The examples in the document are golden frames, to the letter.
func TestDocumentedExamplesAreGolden(t *testing.T) {
	doc, err := os.ReadFile("../docs/wire.md")
	if err != nil {
		t.Fatal(err)
	}
	_, texts := readGolden(t)
	examples := regexp.MustCompile("(?s)`([A-Za-z ]+)`:\n\n```hex\n(.*?)\n```").FindAllSubmatch(doc, -1)
	if len(examples) < 3 {
		t.Fatalf("found %d examples", len(examples))
	}
	for _, example := range examples {
		if name := string(example[1]); texts[name] != string(example[2]) {
			t.Errorf("the example %q is not the golden frame of that name", name)
		}
	}
}
