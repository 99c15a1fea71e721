# SPDX-License-Identifier: MIT
"""The parts of bench/run: what is measured, on what, and how it is shown."""
