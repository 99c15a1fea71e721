# SPDX-License-Identifier: MIT
"""The table, the targets, and build/bench.json."""

import json
import os
import platform
import statistics


def number(value):
    """Four significant digits, whatever the size."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 100 else f"{value:.2f}" if value >= 10 else f"{value:.3f}"


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.machine()


def print_head(place, runs):
    print(f"{processor()}, {len(place.all)} processors, Linux {platform.release()}")
    print(f"medians of {runs} rounds (least to most); the ratio is corail's figure to the peer's")


def print_peers(absent):
    for name, reason in absent.items():
        print(f"{name:20} {'absent: ' + reason if reason else 'there'}")


class Result:
    """One figure of the table, measured."""

    def __init__(self, figure, measured):
        self.figure = figure
        self.values = measured.values.get(figure.name, {})
        self.absent = measured.absent

    def median(self, name):
        values = self.values.get(name)
        return statistics.median(values) if values else None

    def print(self):
        figure = self.figure
        print(f"\n{figure.name}: {figure.unit}, {figure.better} is better")
        ours = self.median("corail")
        best_first = sorted((name for name in self.values if name != "corail"),
                            key=self.median, reverse=figure.better == "higher")
        for name in (["corail"] if ours is not None else []) + best_first:
            values = self.values[name]
            median = self.median(name)
            spread = f"({number(min(values))} to {number(max(values))})"
            ratio = "" if ours is None or name == "corail" else f"{ours / median:8.3f}"
            print(f"  {name:21}{number(median):>11}  {spread:24}{ratio}".rstrip())
        for name, reason in self.absent.items():
            print(f"  {name:21}     absent  ({reason})")
        for target in figure.targets:
            print("  target: " + self.verdict(target))

    def verdict(self, target):
        ours = self.median("corail")
        theirs = self.median(target.peer) if target.peer else 1
        bound = "at most" if self.figure.better == "lower" else "at least"
        text = f"{bound} {target.text}"
        if ours is None or theirs is None:
            return f"{text:32} not measured"
        ratio = ours / theirs
        reached = ratio <= target.factor if self.figure.better == "lower" \
            else ratio >= target.factor
        word = "reached" if reached else "MISSED"
        share = f"{ratio:.3f}" if target.peer else number(ours)
        return f"{text:32} {share:>8}   {word}"


def print_targets(results):
    lines = [(result.figure.name, result.verdict(target))
             for result in results for target in result.figure.targets]
    if lines:
        print("\ntargets, as ratios of corail's figure")
        for name, verdict in lines:
            print(f"  {name:18}{verdict}")


def write_json(results, path):
    benchmarks = []
    for result in results:
        figure = result.figure
        names = [name for name in result.values
                 if name != "corail" and name not in figure.information]
        ours = result.median("corail")
        benchmarks.append({
            "name": figure.name,
            "unit": figure.unit,
            "better": figure.better,
            "corail": None if ours is None else round(ours, 4),
            "peers": {name: round(result.median(name), 4) for name in names},
        })
    folder = os.path.dirname(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"benchmarks": benchmarks}, file, indent=1)
        file.write("\n")
