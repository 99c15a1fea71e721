// SPDX-License-Identifier: MIT

// Go's side of the benchmark. One goroutine is one task.
//
//	bench yield|yield-mixed NAME TASKS YIELDS      bench spawn NAME COUNT
//	bench alive NAME TASKS ROUNDS                  bench sleep NAME TASKS
//	bench timers NAME TASKS DELAY_MS SPREAD_MS     bench echo
//	bench mutex|ping|select NAME COUNT
//	bench pages|pages-keep NAME PORT CONNECTIONS PAGES SIZE
package main

import (
	"fmt"
	"os"
	"strconv"
)

func argument(index int) int {
	if index >= len(os.Args) {
		fail(fmt.Errorf("argument %d is missing", index))
	}
	number, err := strconv.Atoi(os.Args[index])
	if err != nil {
		fail(err)
	}
	return number
}

func report(name string, value float64) {
	fmt.Printf("%s %.4f\n", name, value)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("which benchmark?"))
	}
	switch what := os.Args[1]; what {
	case "yield", "yield-mixed":
		runYield(os.Args[2], argument(3), argument(4), what == "yield-mixed")
	case "spawn":
		runSpawn(os.Args[2], argument(3))
	case "alive":
		runAlive(os.Args[2], argument(3), argument(4))
	case "sleep":
		runSleep(os.Args[2], argument(3))
	case "timers":
		runTimers(os.Args[2], argument(3), argument(4), argument(5))
	case "mutex":
		runMutex(os.Args[2], argument(3))
	case "ping":
		runPing(os.Args[2], argument(3))
	case "select":
		runSelect(os.Args[2], argument(3))
	case "echo":
		runEcho()
	case "pages", "pages-keep":
		runPages(os.Args[2], argument(3), argument(4), argument(5), argument(6),
			what == "pages-keep")
	default:
		fail(fmt.Errorf("unknown benchmark %s", what))
	}
}
