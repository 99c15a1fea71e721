// SPDX-License-Identifier: MIT

// Bytes through one TLS connection over the loopback address, with crypto/tls at both ends.
package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"time"
)

const block = 256 * 1024

func send(connection io.WriteCloser, total int64) {
	data := make([]byte, block)
	for sent := int64(0); sent < total; sent += block {
		if _, err := connection.Write(data); err != nil {
			log.Fatal(err)
		}
	}
	connection.Close()
}

// NAME MEGABYTES CHAIN KEY
func main() {
	megabytes, err := strconv.ParseInt(os.Args[2], 10, 64)
	if err != nil {
		log.Fatal(err)
	}
	total := megabytes * 1000000
	certificate, err := tls.LoadX509KeyPair(os.Args[3], os.Args[4])
	if err != nil {
		log.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0",
		&tls.Config{Certificates: []tls.Certificate{certificate}})
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		send(connection, total)
	}()
	connection, err := tls.Dial("tcp", listener.Addr().String(),
		&tls.Config{InsecureSkipVerify: true})
	if err != nil {
		log.Fatal(err)
	}
	data := make([]byte, block)
	got := int64(0)
	start := time.Now()
	for {
		n, err := connection.Read(data)
		got += int64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	if got < total {
		log.Fatal("cut off")
	}
	fmt.Printf("%s %.4f\n", os.Args[1], float64(got)/1e6/time.Since(start).Seconds())
}
