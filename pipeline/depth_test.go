package pipeline

import (
	"strings"
	"testing"
)

func TestParseDepth(t *testing.T) {
	for in, want := range map[string]Depth{
		"1":        {N: 1},
		"4096":     {N: MaxDepth},
		"adaptive": {Adaptive: true, N: MaxDepth},
	} {
		var got Depth
		if err := got.UnmarshalText([]byte(in)); err != nil || got != want {
			t.Errorf("parsing %q gave %+v, %v; want %+v", in, got, err, want)
		}
		if text, err := got.MarshalText(); err != nil || string(text) != in {
			t.Errorf("%q rendered as %q, %v", in, text, err)
		}
	}
	for _, in := range []string{"", "0", "-1", "4097", "8x", "Adaptive", "adaptive:8"} {
		got := Depth{N: 3}
		err := got.UnmarshalText([]byte(in))
		if err == nil || got != (Depth{N: 3}) {
			t.Errorf("%q: got %+v, %v; want an error and no change", in, got, err)
		} else if !strings.Contains(err.Error(), `"`+in+`"`) || !strings.Contains(err.Error(), "adaptive") {
			t.Errorf("%q: error %q names neither value nor remedy", in, err)
		}
	}
}
