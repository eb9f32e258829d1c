package transport

// poisonByte is what a dead view is filled with: no operation, status or frame type has this value.
const poisonByte = 0xdb

func poison(view []byte) {
	for i := range view {
		view[i] = poisonByte
	}
}
