// SPDX-License-Identifier: MIT

// Go's side of the benchmark of files: see ../../corail/files.c.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const (
	atOnce = 64
	block  = 4096
	large  = 256 * 1024
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// gather runs a function in 64 goroutines, which share the numbers below count.
func gather(count int64, work func(take func() (int64, bool))) {
	var next atomic.Int64
	var group sync.WaitGroup
	for i := 0; i < atOnce; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			work(func() (int64, bool) {
				n := next.Add(1) - 1
				return n, n < count
			})
		}()
	}
	group.Wait()
}

func small(folder string, count int64) {
	gather(count, func(take func() (int64, bool)) {
		for n, ok := take(); ok; n, ok = take() {
			_, err := os.ReadFile(filepath.Join(folder, strconv.FormatInt(n, 10)))
			check(err)
		}
	})
}

func readLarge(path string) float64 {
	file, err := os.Open(path)
	check(err)
	buffer := make([]byte, large)
	total := 0
	for {
		n, err := file.Read(buffer)
		total += n
		if err == io.EOF {
			return float64(total) / 1e6
		}
		check(err)
	}
}

func random(path string, count int64) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECT, 0)
	check(err)
	info, err := file.Stat()
	check(err)
	blocks := uint64(info.Size()) / block
	gather(count, func(take func() (int64, bool)) {
		room := make([]byte, 2*block)
		start := block - int(uintptr(unsafe.Pointer(&room[0]))%block)
		for n, ok := take(); ok; n, ok = take() {
			at := uint64(n) * 0x9e3779b97f4a7c15 % blocks
			_, err := file.ReadAt(room[start:start+block], int64(at)*block)
			check(err)
		}
	})
}

func replace(folder string, count int64) {
	dir, err := os.Open(folder)
	check(err)
	data := make([]byte, block)
	from, to := filepath.Join(folder, ".temporary"), filepath.Join(folder, "atomic")
	for i := int64(0); i < count; i++ {
		file, err := os.OpenFile(from, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0644)
		check(err)
		_, err = file.Write(data)
		check(err)
		check(file.Sync())
		check(file.Close())
		check(os.Rename(from, to))
		check(dir.Sync())
	}
}

func main() {
	what, name, path := os.Args[1], os.Args[2], os.Args[3]
	count := int64(0)
	if len(os.Args) > 4 {
		count, _ = strconv.ParseInt(os.Args[4], 10, 64)
	}
	amount := float64(count)
	before := time.Now()
	switch what {
	case "small":
		small(path, count)
	case "large":
		amount = readLarge(path)
	case "random":
		random(path, count)
	default:
		replace(path, count)
	}
	fmt.Printf("%s %.4f\n", name, amount/time.Since(before).Seconds())
}
