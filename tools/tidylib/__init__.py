# SPDX-License-Identifier: MIT
"""The rules of the house, and what they need to read the sources."""
