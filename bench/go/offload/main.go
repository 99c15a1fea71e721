// SPDX-License-Identifier: MIT

// Go's side of the benchmark of jobs on threads: a fixed set of workers that take jobs from a
// channel and answer each caller by a channel of its own, as goroutines or each locked to a thread.
//
//	offload goroutines|threads rtt NAME COUNT
//	offload goroutines|threads many NAME COUNT TASKS
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"
)

type job struct {
	runs *int
	done chan int
}

var queue = make(chan job, 1000)

func worker(locked bool) {
	if locked {
		runtime.LockOSThread()
	}
	for each := range queue {
		*each.runs++
		each.done <- 0
	}
}

func caller(count int, group *sync.WaitGroup) {
	runs := 0
	done := make(chan int, 1)
	for i := 0; i < count; i++ {
		queue <- job{&runs, done}
		<-done
	}
	if runs != count {
		os.Exit(1)
	}
	group.Done()
}

func argument(index int) int {
	number, err := strconv.Atoi(os.Args[index])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return number
}

func main() {
	var group sync.WaitGroup
	count, tasks := argument(4), 1

	if os.Args[2] == "many" {
		tasks = argument(5)
	}
	for i := 0; i < 2; i++ {
		go worker(os.Args[1] == "threads")
	}
	before := time.Now()
	group.Add(tasks)
	for i := 0; i < tasks; i++ {
		go caller(count/tasks, &group)
	}
	group.Wait()
	took := time.Since(before)
	if tasks == 1 {
		fmt.Printf("%s %.4f\n", os.Args[3], took.Seconds()*1e6/float64(count))
	} else {
		fmt.Printf("%s %.4f\n", os.Args[3], float64(count/tasks*tasks)/took.Seconds())
	}
}
