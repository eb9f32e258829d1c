package compress

import (
	"fmt"

	"paxosbench/wire"
)

var codecNames = [...]string{wire.CodecNone: "none", wire.CodecS2: "s2", wire.CodecZstd: "zstd"}

// ParseCodec parses none, s2 or zstd.
func ParseCodec(s string) (wire.Codec, error) {
	for codec, name := range codecNames {
		if s == name {
			return wire.Codec(codec), nil
		}
	}
	return 0, fmt.Errorf("compress %q: want none, s2 or zstd", s)
}

// CodecName returns the name that ParseCodec reads.
func CodecName(codec wire.Codec) string {
	if int(codec) < len(codecNames) {
		return codecNames[codec]
	}
	return fmt.Sprintf("Codec(%d)", uint8(codec))
}
