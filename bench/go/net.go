// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"fmt"
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

func fetch(client *http.Client, url string, body *bytes.Buffer, size int) {
	response, err := client.Get(url)
	if err != nil {
		fail(err)
	}
	body.Reset()
	_, err = body.ReadFrom(response.Body)
	response.Body.Close()
	if err != nil {
		fail(err)
	}
	if response.StatusCode != 200 || body.Len() != size {
		fail(fmt.Errorf("%s: status %d, %d bytes", url, response.StatusCode, body.Len()))
	}
}

func runPages(name string, port, connections, pages, size int) {
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
			var body bytes.Buffer
			for {
				page := atomic.AddInt64(&next, 1) - 1
				if page >= int64(pages) {
					break
				}
				url := fmt.Sprintf("http://127.0.0.1:%d/%d.html", port, page%100)
				fetch(client, url, &body, size)
			}
			group.Done()
		}()
	}
	group.Wait()
	report(name, float64(pages)/time.Since(before).Seconds())
}
