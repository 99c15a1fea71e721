// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

func serve(connection net.Conn) {
	buffer := make([]byte, 4096)
	defer connection.Close()
	for {
		n, err := connection.Read(buffer)
		if err != nil {
			return
		}
		if _, err := connection.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// net switches TCP_NODELAY on by itself.
func runEcho() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err)
	}
	fmt.Printf("PORT %d\n", listener.Addr().(*net.TCPAddr).Port)
	for {
		connection, err := listener.Accept()
		if err != nil {
			fail(err)
		}
		go serve(connection)
	}
}

// A page into memory, as the manual of net/http has it. With `keep`, into memory that is used
// again: faster, but not what one writes.
func fetch(client *http.Client, url string, keep *bytes.Buffer, size int) {
	var length int

	response, err := client.Get(url)
	if err != nil {
		fail(err)
	}
	if keep != nil {
		keep.Reset()
		_, err = keep.ReadFrom(response.Body)
		length = keep.Len()
	} else {
		var body []byte
		body, err = io.ReadAll(response.Body)
		length = len(body)
	}
	response.Body.Close()
	if err != nil {
		fail(err)
	}
	if response.StatusCode != 200 || length != size {
		fail(fmt.Errorf("%s: status %d, %d bytes", url, response.StatusCode, length))
	}
}

func runPages(name string, port, connections, pages, size int, keep bool) {
	var group sync.WaitGroup
	var next int64
	client := &http.Client{Transport: &http.Transport{
		MaxIdleConns:        connections,
		MaxIdleConnsPerHost: connections,
		MaxConnsPerHost:     connections,
		DisableCompression:  true,
	}}
	before := time.Now()

	group.Add(connections)
	for i := 0; i < connections; i++ {
		go func() {
			var kept *bytes.Buffer
			if keep {
				kept = new(bytes.Buffer)
			}
			for {
				page := atomic.AddInt64(&next, 1) - 1
				if page >= int64(pages) {
					break
				}
				url := fmt.Sprintf("http://127.0.0.1:%d/%d.html", port, page%100)
				fetch(client, url, kept, size)
			}
			group.Done()
		}()
	}
	group.Wait()
	report(name, float64(pages)/time.Since(before).Seconds())
}
