package client_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"paxosbench/wire/client"
	"paxosbench/wire/client/clienttest"
)

// cluster is a stand-in for replicas, so that the examples run.
func cluster() *clienttest.Server {
	server, err := clienttest.Listen("", clienttest.Config{})
	if err != nil {
		panic(err)
	}
	return server
}

func Example() {
	server := cluster()
	defer server.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := client.Dial(ctx, client.Config{Addrs: []string{server.Addr()}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	fmt.Println(c.Put(ctx, []byte("colour"), []byte("green")))
	value, err := c.Get(ctx, []byte("colour"))
	fmt.Printf("%s %v\n", value, err)
	err = c.CompareAndSet(ctx, []byte("colour"), []byte("red"), []byte("blue"))
	fmt.Println(errors.Is(err, client.ErrMismatch))
	err = c.Put(ctx, []byte("colour"), make([]byte, 2<<20))
	fmt.Println(errors.Is(err, client.ErrTooLarge))
	// Output:
	// <nil>
	// green <nil>
	// true
	// true
}

// Many commands under way: done is called for each, in the order of a session's commands.
func ExampleClient_Submit() {
	server := cluster()
	defer server.Close()
	ctx := context.Background()
	c, err := client.Dial(ctx, client.Config{Addrs: []string{server.Addr()}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	var underWay sync.WaitGroup
	failed := 0
	for i := range 1000 {
		underWay.Add(1)
		put := client.Command{Op: client.Put, Key: fmt.Appendf(nil, "key %d", i), Value: []byte("value")}
		err := c.Submit(ctx, put, func(r client.Result) {
			if r.Err != nil {
				failed++ // one goroutine calls them all, unless a context ends
			}
			underWay.Done()
		})
		if err != nil {
			fmt.Println(err)
			underWay.Done()
		}
	}
	underWay.Wait()
	fmt.Println(failed, "failed,", server.State().Executed(), "executed")
	// Output: 0 failed, 1000 executed
}
