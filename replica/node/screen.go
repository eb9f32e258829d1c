package node

import (
	"fmt"

	"paxosbench/wire"
)

// Why a peer's message is refused. The texts name no numbers: what is said again and again is logged once.
var (
	errImpossible = fmt.Errorf("%w: a slot that no log comes to", wire.ErrField)
	errNoBatch    = fmt.Errorf("%w: a batch that is none", wire.ErrField)
)

// screen looks at a message before anything believes it, and returns why no replica can have sent it. What passes has slots with
// which one can count, and, if it is an Accept, a batch that can be applied: nothing else is ever acknowledged, and so nothing
// else is chosen or found in a journal. A batch that is compressed is looked at when it has been unpacked, to be applied.
func screen(m *wire.Message) error {
	if max(m.Slot, m.Last(), m.Commit) > wire.MaxSlot {
		return errImpossible
	}
	switch m.Type {
	case wire.TypeAccept:
		return checkBatch(&m.Payload)
	case wire.TypePromise:
		return checkEntries(m.Body)
	}
	return nil
}

// checkBatch checks a batch that is not compressed, and takes down that this has been done.
func checkBatch(p *wire.Payload) error {
	if p.Codec != wire.CodecNone {
		return nil
	}
	if _, err := wire.DecodeFragment(p.Body); err != nil {
		return errNoBatch
	}
	p.Checked = true
	return nil
}

// checkEntries checks what a peer says it has accepted.
func checkEntries(body []byte) error {
	for len(body) > 0 {
		e, size, err := wire.DecodeEntry(body)
		if err != nil {
			return errNoBatch
		}
		if err := checkBatch(&e.Payload); err != nil {
			return err
		}
		body = body[size:]
	}
	return nil
}
