// SPDX-License-Identifier: MIT

package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

var started, ended time.Time

func member(rounds int, first bool, group *sync.WaitGroup) {
	for i := 0; i < 3; i++ {
		runtime.Gosched()
	}
	if first {
		started = time.Now()
	}
	for i := 0; i < rounds; i++ {
		runtime.Gosched()
	}
	if first {
		ended = time.Now()
	}
	group.Done()
}

func otherMember(rounds int, group *sync.WaitGroup) {
	for i := 0; i < rounds+3; i++ {
		runtime.Gosched()
	}
	group.Done()
}

func runYield(name string, tasks, yields int, mixed bool) {
	var group sync.WaitGroup
	rounds := yields / tasks

	group.Add(tasks)
	for i := 0; i < tasks; i++ {
		if mixed && i == 1 {
			go otherMember(rounds, &group)
		} else {
			go member(rounds, i == 0, &group)
		}
	}
	group.Wait()
	report(name, float64(ended.Sub(started).Nanoseconds())/float64(rounds*tasks))
}

// A goroutine has no result to await: a channel that is made once stands for it, which is the
// cheapest way.
func runSpawn(name string, count int) {
	done := make(chan int)
	before := time.Now()

	for i := 0; i < count; i++ {
		go func() { done <- 0 }()
		<-done
	}
	report(name, float64(time.Since(before).Nanoseconds())/float64(count))
}

func runAlive(name string, tasks, times int) {
	var before time.Time

	for round := 0; round <= times; round++ {
		var group sync.WaitGroup

		if round == 1 {
			before = time.Now()
		}
		group.Add(tasks)
		for i := 0; i < tasks; i++ {
			go func() {
				runtime.Gosched()
				group.Done()
			}()
		}
		group.Wait()
	}
	report(name, float64(time.Since(before).Nanoseconds())/float64(times*tasks))
}

// Bytes resident plus bytes of page tables.
func memory() float64 {
	total := 0.0
	status, err := os.Open("/proc/self/status")
	if err != nil {
		fail(err)
	}
	defer status.Close()
	for lines := bufio.NewScanner(status); lines.Scan(); {
		var kib float64
		line := lines.Text()
		if strings.HasPrefix(line, "VmRSS:") || strings.HasPrefix(line, "VmPTE:") {
			fmt.Sscanf(line[6:], "%f", &kib)
			total += kib * 1024
		}
	}
	return total
}

func runSleep(name string, tasks int) {
	var asleep int64
	memoryBefore := memory()
	before := time.Now()

	for i := 0; i < tasks; i++ {
		go func() {
			atomic.AddInt64(&asleep, 1)
			time.Sleep(10 * time.Minute)
		}()
	}
	for atomic.LoadInt64(&asleep) < int64(tasks) {
		runtime.Gosched()
	}
	report(name+"-start", time.Since(before).Seconds())
	report(name+"-bytes", (memory()-memoryBefore)/float64(tasks))
	os.Exit(0)
}

// User and system time of all threads.
func processorTime() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func runTimers(name string, tasks, delayMs, spreadMs int) {
	var group sync.WaitGroup
	before := processorTime()
	slot := time.Duration(spreadMs) * time.Millisecond / time.Duration(tasks)

	group.Add(tasks)
	for i := 0; i < tasks; i++ {
		wait := time.Duration(delayMs)*time.Millisecond + time.Duration(i*611953%tasks)*slot
		go func() {
			time.Sleep(wait)
			group.Done()
		}()
	}
	group.Wait()
	report(name, float64(processorTime()-before)/float64(tasks))
}

// Go's mutex goes to whoever asks first once it is free: without giving way in between, the one
// who had it would keep it.
func locker(count int, mutex *sync.Mutex, group *sync.WaitGroup) {
	for i := 0; i < count; i++ {
		mutex.Lock()
		runtime.Gosched()
		mutex.Unlock()
		runtime.Gosched()
	}
	group.Done()
}

func runMutex(name string, count int) {
	var mutex sync.Mutex
	var group sync.WaitGroup
	before := time.Now()

	group.Add(2)
	go locker(count/2, &mutex, &group)
	go locker(count/2, &mutex, &group)
	group.Wait()
	report(name, float64(time.Since(before).Nanoseconds())/float64(count))
}

func runPing(name string, count int) {
	there, back := make(chan int), make(chan int)

	go func() {
		for value := range there {
			back <- value
		}
	}()
	before := time.Now()
	for i := 0; i < count; i++ {
		there <- i
		<-back
	}
	report(name, float64(time.Since(before).Nanoseconds())/float64(count))
	close(there)
}

func runSelect(name string, count int) {
	var chans [4]chan int

	for i := range chans {
		chans[i] = make(chan int)
	}
	go func() {
		for i := 0; i < count; i++ {
			chans[i*7/3%4] <- i
		}
	}()
	before := time.Now()
	for i := 0; i < count; i++ {
		value := 0
		select {
		case value = <-chans[0]:
		case value = <-chans[1]:
		case value = <-chans[2]:
		case value = <-chans[3]:
		}
		if value != i {
			os.Exit(1)
		}
	}
	report(name, float64(time.Since(before).Nanoseconds())/float64(count))
}
