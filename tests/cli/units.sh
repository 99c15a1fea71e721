#!/bin/bash
# SPDX-License-Identifier: MIT
# The parts of the command that need no network.
exec "$CORAIL_BUILD/tests/cli/units"
