package transport

import (
	"errors"
	"fmt"

	"paxosbench/wire"
)

// Fault says why the transport closed a connection.
type Fault uint8

// Faults, as Stats counts them.
const (
	FaultMagic            Fault = iota // not this protocol
	FaultVersion                       // another protocol version
	FaultType                          // no such frame type
	FaultLength                        // a length past its limit
	FaultChecksum                      // header or body damaged
	FaultField                         // a field out of bounds
	FaultUnexpected                    // a frame that this connection may not carry, or not yet
	FaultRequest                       // the Handler rejected a request or a query
	FaultRefused                       // the Handler refused a client
	FaultFull                          // all places for connections were taken
	FaultHandshakeTimeout              // no hello in time
	FaultFrameTimeout                  // the rest of a frame did not come in time
	FaultSlowReader                    // a client took none of its answers for too long
	FaultShortage                      // a client held memory, or one of many places, that others needed
	FaultIdentity                      // a peer that may not be one
	FaultIdle                          // a client that was idle for too long, or whose place was needed
	FaultNewcomer                      // one of too many that had not shown who they are
	FaultCount                         // number of faults
)

var faultNames = [FaultCount]string{
	FaultMagic: "magic", FaultVersion: "version", FaultType: "type", FaultLength: "length", FaultChecksum: "checksum",
	FaultField: "field", FaultUnexpected: "unexpected", FaultRequest: "request", FaultRefused: "refused",
	FaultFull: "full", FaultHandshakeTimeout: "handshake-timeout", FaultFrameTimeout: "frame-timeout",
	FaultSlowReader: "slow-reader", FaultIdentity: "identity", FaultIdle: "idle", FaultNewcomer: "newcomer", FaultShortage: "shortage",
}

// String returns the fault's name as metrics spell it.
func (f Fault) String() string {
	if f < FaultCount {
		return faultNames[f]
	}
	return fmt.Sprintf("Fault(%d)", uint8(f))
}

var errUnexpected = errors.New("transport: unexpected frame")

// faultOf classifies an error of the framer or of admit.
func faultOf(err error) Fault {
	switch {
	case errors.Is(err, wire.ErrMagic):
		return FaultMagic
	case errors.Is(err, wire.ErrVersion):
		return FaultVersion
	case errors.Is(err, wire.ErrType):
		return FaultType
	case errors.Is(err, wire.ErrLength):
		return FaultLength
	case errors.Is(err, wire.ErrChecksum):
		return FaultChecksum
	case errors.Is(err, wire.ErrField):
		return FaultField
	}
	return FaultUnexpected
}

func unexpected(t wire.Type, greeted bool) error {
	if greeted {
		return fmt.Errorf("%w: %v after the hello", errUnexpected, t)
	}
	return fmt.Errorf("%w: %v before the hello", errUnexpected, t)
}

func checkBodyLen(h wire.Header, limit int) error {
	if h.BodyLen > limit {
		return fmt.Errorf("%w: %v body of %d bytes, limit %d", wire.ErrLength, h.Type, h.BodyLen, limit)
	}
	return nil
}
