#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The table of bench/run.sh: medians of per-round ratios, from the lines it wrote.

A line is key=value words: a shape (shape, target, title) or a measurement (round, shape, name and what the
load generator printed). Exit: 0 all within target, 1 something over, 2 something failed to echo.

usage: compare.py RESULTS
"""

import sys
from statistics import median

PEERS = {  # name: (title, what ours must be below as a ratio to it)
    "uv": ("libuv, as its example", 1.00),
    "uv_try": ("libuv, uv_try_write", None),
    "event": ("libevent bufferevent", 1.00),
    "before": ("streambed before", 1.03),
}
ROW = "{:<34}{:>9}{:>10}   {:<20}{:>8}   {:<20}{}"


def words(line):
    return dict(word.split("=", 1) for word in line.split() if "=" in word)


def load(path):
    """shapes: name -> its words, in order; runs: (shape, name) -> {round: measurement}."""
    shapes, runs = {}, {}
    for line in open(path, encoding="utf-8"):
        row = words(line)
        if "title" in row:
            row["title"] = line.rstrip("\n").split("title=", 1)[1]
            shapes[row["shape"]] = row
        else:
            runs.setdefault((row["shape"], row["name"]), {})[row["round"]] = row
    return shapes, runs


def cpu_us(rows):
    """Per round; failed runs are left out here and shown by verdict()."""
    return {n: float(r["cpu_us_per_msg"]) for n, r in rows.items() if r.get("errors") == "0"}


def bytes_idle(rows, idle):
    good = [r for r in rows.values() if r.get("errors") == "0"]
    return [(int(r["server_rss_kib"]) - int(r["fresh_rss_kib"])) * 1024 / idle for r in good]


def ratios(ours, other):
    return [ours[n] / other[n] for n in ours if n in other and other[n] > 0]


def spread(values):
    if not values:
        return "-"
    return f"{median(values):.2f} [{min(values):.2f} {max(values):.2f}]"


def middle(values):
    return f"{median(values.values()):.3g}" if values else "-"


class Table:
    def __init__(self):
        self.status = 0

    def verdict(self, failed, values, is_within):
        if failed or not values:
            self.status = 2
            return "FAILED"
        if is_within(median(values)):
            return "ok"
        self.status = max(self.status, 1)
        return "over"

    def compare(self, title, ours, other, target, is_within, floor, failed):
        values = ratios(ours, other)
        verdict = self.verdict(failed, values, is_within) if target else ("FAILED" if failed else "")
        print(ROW.format(title, middle(ours), middle(other), spread(values), target, floor, verdict).rstrip())

    def shape(self, name, title, target, runs):
        def rows(who):
            return runs.get((name, who), {})

        def failed(*who):
            return any(r.get("errors") != "0" for w in who for r in rows(w).values())

        # Among idle connections streambed is held against itself without them.
        against = "base" if name == "idle" else "limit"
        ours = cpu_us(rows("ours"))
        floor = spread(ratios(cpu_us(rows(against + "2")), cpu_us(rows(against))))
        self.compare(
            title,
            ours,
            cpu_us(rows(against)),
            f"<= {target:.2f}",
            lambda v: v <= target,
            floor,
            failed("ours", against, against + "2"),
        )
        if name == "idle":
            self.compare("  beside the limit", ours, cpu_us(rows("limit")), "", None, "", failed("limit"))
        for who, (text, most) in PEERS.items():
            if rows(who):
                goal = f"< {most:.2f}" if most else ""
                beside = cpu_us(rows(who))
                self.compare(f"  beside {text}", ours, beside, goal, lambda v, most=most: v < most, "", failed(who))

    def memory(self, target, idle, runs):
        print("\nresident bytes per idle connection, above a fresh start for 16 connections")
        for who, text in {"ours": "streambed", "limit": "the limit", **{k: v[0] for k, v in PEERS.items()}}.items():
            rows = runs.get(("memory", who), {})
            if not rows:
                continue
            values = bytes_idle(rows, idle)
            failed = any(r.get("errors") != "0" for r in rows.values())
            goal = f"<= {target:.0f}" if who == "ours" else ""
            verdict = self.verdict(failed, values, lambda v: v <= target) if goal else "FAILED" if failed else ""
            figure = f"{median(values):.0f} [{min(values):.0f} {max(values):.0f}]" if values else "-"
            print(f"  {text:<32}{figure:>20}   {goal:>8}   {verdict}".rstrip())


def main():
    shapes, runs = load(sys.argv[1])
    table = Table()
    if set(shapes) - {"memory"}:
        print("server CPU per message; ratio = ours / limit in the same round: median [min max]\n")
        print(ROW.format("shape", "ours us", "limit us", "ratio", "target", "A/A floor", "verdict"))
    for name, shape in shapes.items():
        if name != "memory":
            table.shape(name, shape["title"], float(shape["target"]), runs)
    if "memory" in shapes:
        table.memory(float(shapes["memory"]["target"]), int(shapes["memory"]["idle"]), runs)
    return table.status


if __name__ == "__main__":
    sys.exit(main())
