package model

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"paxosbench/bench/stat"
)

const (
	smallWrite, smallWrites = 4 << 10, 200
	largeWrite, largeWrites = 1 << 20, 64
	messageBytes, messages  = 64, 2000
)

// measureDisk writes over a file that has been written before, as a journal writes its recycled segments.
func (c *Calibration) measureDisk(dir string) error {
	file, err := os.CreateTemp(dir, "calibrate-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, _, err = writeSynced(file, largeWrite, largeWrites)
	if err == nil {
		c.SyncNs, _, err = writeSynced(file, smallWrite, smallWrites)
	}
	if err == nil {
		_, c.DiskBytesPerS, err = writeSynced(file, largeWrite, largeWrites)
	}
	return errors.Join(err, file.Close())
}

// writeSynced writes from the beginning of a file on, and syncs after each write. It returns the median time of a write
// in nanoseconds and the bytes per second of all.
func writeSynced(file *os.File, size, writes int) (medianNs, bytesPerS float64, err error) {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i * 131) // nothing that a file system could leave out
	}
	times := make([]float64, writes)
	start := time.Now()
	for i := range times {
		before := time.Now()
		if _, err := file.WriteAt(data, int64(i)*int64(size)); err != nil {
			return 0, 0, err
		}
		if err := unix.Fdatasync(int(file.Fd())); err != nil {
			return 0, 0, err
		}
		times[i] = float64(time.Since(before))
	}
	return stat.Median(times).Median, float64(size*writes) / time.Since(start).Seconds(), nil
}

// measureLoopback sends messages to an echo over TCP, one at a time.
func (c *Calibration) measureLoopback() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	echoed := make(chan error, 1)
	go func() { echoed <- echo(listener) }()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		return err
	}
	times := make([]float64, messages)
	message := make([]byte, messageBytes)
	for i := range times {
		before := time.Now()
		if _, err = conn.Write(message); err != nil {
			break
		}
		if _, err = io.ReadFull(conn, message); err != nil {
			break
		}
		times[i] = float64(time.Since(before))
	}
	c.RoundTripNs = stat.Median(times).Median
	return errors.Join(err, conn.Close(), <-echoed)
}

// echo sends back what one connection sends, until it ends.
func echo(listener net.Listener) error {
	conn, err := listener.Accept()
	if err != nil {
		return err
	}
	_, err = io.Copy(conn, conn)
	return errors.Join(err, conn.Close())
}
