// SPDX-License-Identifier: MIT

// Go's processes, one after the other.
//
//	process NAME COUNT
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"
)

func main() {
	count, err := strconv.Atoi(os.Args[2])
	before := time.Now()
	for i := 0; i < count && err == nil; i++ {
		err = exec.Command("/bin/true").Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	elapsed := float64(time.Since(before).Nanoseconds()) / 1e3
	fmt.Printf("%s %.4f\n", os.Args[1], elapsed/float64(count))
}
