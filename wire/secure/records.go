package secure

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Records encrypts and decrypts what passes over a connection, from memory to memory: it waits for nothing, and is for one
// goroutine. It holds what has come of a record and no more; besides, crypto/tls keeps a buffer as long as the longest record that it
// has read.
type Records struct {
	conn    *tls.Conn
	memory  memory // below conn
	partial []byte // of a record that has not come whole; nil: none
	useless int    // bytes of records without content that have come since this side has sent anything
	failed  error  // why nothing more can be read
}

const (
	// recordHeader is what stands before a record, recordBytes the most plain text in it and maxRecord its greatest length, header
	// and all.
	recordHeader = 5
	recordBytes  = 16 << 10
	maxRecord    = recordHeader + recordBytes + 256

	// Overhead is how much longer than plain text of one record what stands for it is.
	Overhead = recordHeader + 1 + 16

	// maxUseless is how many bytes of records may come that bring nothing, while this side sends nothing: new keys, which take
	// longer to make than to ask for and are answered, parts of messages of the handshake, and records that are empty.
	maxUseless = 1 << 10
)

var errUseless = fmt.Errorf("TLS: more than %d bytes of records without content", maxUseless)

// Open decrypts what has come, appends the plain text to dst, and returns that. An error ends the connection, io.EOF if the other
// side has closed it in good order; what came before it counts. Nothing of ciphertext is kept.
func (r *Records) Open(dst, ciphertext []byte) ([]byte, error) {
	for len(ciphertext) > 0 && r.failed == nil {
		record, n := r.cut(ciphertext)
		ciphertext = ciphertext[n:]
		if record != nil {
			dst = r.open(dst, record)
		}
	}
	if len(r.partial) == 0 {
		r.partial = nil
	}
	return dst, r.failed
}

// cut returns the first record of what has come, nil if that is not whole, and how many bytes of src are taken with it.
func (r *Records) cut(src []byte) (record []byte, n int) {
	if len(r.partial) == 0 {
		if length := recordLen(src); length > 0 && length <= len(src) {
			return src[:length], length
		}
	}
	for n < len(src) {
		missing := recordHeader - len(r.partial)
		if length := recordLen(r.partial); length > 0 {
			missing = length - len(r.partial)
		}
		taken := min(missing, len(src)-n)
		r.partial = append(r.partial, src[n:n+taken]...)
		n += taken
		if length := recordLen(r.partial); length == len(r.partial) {
			return r.partial, n
		}
	}
	return nil, n
}

// recordLen returns the length of the record that b begins with, 0 if its header is not whole. One that is too long ends with its
// header, which is all that crypto/tls looks at.
func recordLen(b []byte) int {
	if len(b) < recordHeader {
		return 0
	}
	length := recordHeader + int(binary.BigEndian.Uint16(b[3:]))
	if length > maxRecord {
		return recordHeader
	}
	return length
}

// open decrypts a record. What stood in partial is dealt with then.
func (r *Records) open(dst, record []byte) []byte {
	dst = slices.Grow(dst, recordBytes)
	r.memory.in = record
	n, err := r.conn.Read(dst[len(dst):cap(dst)])
	r.memory.in = nil
	r.partial = r.partial[:0]
	if errors.Is(err, errEmpty) {
		err = nil
		if r.useless += len(record); r.useless > maxUseless {
			err = errUseless
		}
	}
	r.failed = err
	return dst[:len(dst)+n]
}

// Seal encrypts plain texts, appends what is to be sent to dst, and returns that. What crypto/tls has to say itself goes before it. It
// fails only where Open has.
func (r *Records) Seal(dst []byte, plain ...[]byte) (out []byte, err error) {
	r.memory.out = append(dst, r.memory.out...)
	for _, text := range plain {
		if _, err = r.conn.Write(text); err != nil {
			break
		}
	}
	out, r.memory.out = r.memory.out, nil
	r.useless = 0
	return out, err
}

// Close says that nothing more will be sent, behind what crypto/tls still has to say, such as why it has failed. It appends that
// to dst.
func (r *Records) Close(dst []byte) []byte {
	r.memory.out = append(dst, r.memory.out...)
	_ = r.conn.CloseWrite()
	dst, r.memory.out = r.memory.out, nil
	return dst
}

// Partial reports whether a record has begun to come and has not come whole.
func (r *Records) Partial() bool { return len(r.partial) > 0 }

// Held returns how many bytes of memory that takes.
func (r *Records) Held() int { return cap(r.partial) }
