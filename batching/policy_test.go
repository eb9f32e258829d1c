package batching

import (
	"strings"
	"testing"
)

func TestParsePolicy(t *testing.T) {
	for _, test := range []struct {
		in, out string
		want    Policy
	}{
		{"none", "none", Policy{Kind: None}},
		{"adaptive", "adaptive", Policy{Kind: Adaptive}},
		{"count:1", "count:1", Policy{Count, 1}},
		{"count:524288", "count:524288", Policy{Count, 524288}},
		{"bytes:1", "bytes:1", Policy{Bytes, 1}},
		{"bytes:1025", "bytes:1025", Policy{Bytes, 1025}},
		{"bytes:65536", "bytes:64KiB", Policy{Bytes, 64 << 10}},
		{"bytes:64KiB", "bytes:64KiB", Policy{Bytes, 64 << 10}},
		{"bytes:4MiB", "bytes:4MiB", Policy{Bytes, 4 << 20}},
	} {
		var got Policy
		if err := got.UnmarshalText([]byte(test.in)); err != nil || got != test.want {
			t.Errorf("parsing %q gave %+v, %v; want %+v", test.in, got, err, test.want)
		}
		if text, err := got.MarshalText(); err != nil || string(text) != test.out {
			t.Errorf("%q rendered as %q, %v; want %q", test.in, text, err, test.out)
		}
		if again, err := ParsePolicy(got.String()); err != nil || again != got {
			t.Errorf("%q did not come back from %q: %+v, %v", test.in, got.String(), again, err)
		}
	}
}

func TestParsePolicyErrorsNameValueAndGrammar(t *testing.T) {
	for _, in := range []string{"", "None", "count", "count:", "count:0", "count:-1", "count:x", "count:524289", "count:1KiB",
		"bytes:0", "bytes:5MiB", "bytes:4097KiB", "bytes:KiB", "bytes:1KB", "bytes:9223372036854775807MiB", "adaptive:3", "none:1"} {
		before := Policy{Count, 7}
		got := before
		err := got.UnmarshalText([]byte(in))
		if err == nil {
			t.Errorf("%q was accepted as %+v", in, got)
			continue
		}
		if got != before {
			t.Errorf("%q changed the policy to %+v", in, got)
		}
		if !strings.Contains(err.Error(), `"`+in+`"`) || !strings.Contains(err.Error(), "count:N") {
			t.Errorf("%q: error %q names neither value nor grammar", in, err)
		}
	}
}

func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for r := range Reason(NumReasons) {
		if name := r.String(); name == "" || seen[name] || strings.Contains(name, "(") {
			t.Errorf("reason %d is called %q", uint8(r), name)
		} else {
			seen[name] = true
		}
	}
	if got := Reason(NumReasons).String(); got != "Reason(5)" {
		t.Errorf("an unknown reason is called %q", got)
	}
}
