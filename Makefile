# SPDX-License-Identifier: MIT
# The front door. CMake does the work: see CMakePresets.json for the configurations.

PREFIX ?= /usr/local
DESTDIR ?=

.PHONY: all setup demo test bench install format check clean help

all:
	@tools/setup --check build || true
	@mkdir -p build/log
	@cmake --preset release >build/log/configure.log || { cat build/log/configure.log; exit 1; }
	@cmake --build build

help:
	@echo "make            build; the command is then build/corail"
	@echo "make demo       install the missing, build, fetch pages one by one, then at once"
	@echo "make test       every test on every configuration"
	@echo "make bench      benchmarks beside their peers; writes build/bench.json"
	@echo "make install    into PREFIX (now $(PREFIX)), below DESTDIR if set"
	@echo "make format     rewrite the sources in the project's format"
	@echo "make check      format, layers and rules, static analysis"
	@echo "make setup      install the Debian packages for all of this"
	@echo "make clean      remove build/"

setup:
	@tools/setup build test bench

demo:
	@tools/setup build
	@$(MAKE) --no-print-directory all
	@test -x build/corail || { echo "make demo: build/corail was not built" >&2; exit 1; }
	@build/corail demo

test:
	@tools/setup build test
	@tools/run-tests

bench:
	@tools/setup build bench
	@$(MAKE) --no-print-directory all
	@bench/run

install: all
	@DESTDIR=$(DESTDIR) cmake --install build --prefix $(PREFIX)

format:
	@tools/format

check:
	@tools/check

clean:
	rm -rf build
