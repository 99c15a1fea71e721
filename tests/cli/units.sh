#!/bin/bash
# SPDX-License-Identifier: MIT
# The parts of the command that need no network, and the folder that it writes to.
. "$(dirname "$0")/common.bash"

run 0 "$CORAIL_BUILD/tests/cli/units"
find_backends
for backend in $backends; do
	CORAIL_BACKEND=$backend run 0 "$CORAIL_BUILD/tests/cli/store"
done
exit 0
