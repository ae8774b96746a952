#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes results.md, report.html and pictures/, beside it, of what rounds.py wrote: report.py RAW.JSONL"""
import sys
from pathlib import Path

import page
import pictures
import results


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    raw = Path(sys.argv[1])
    with raw.open(errors="replace") as lines:
        found = results.read(lines)
    raw.with_name("results.md").write_text(page.as_markdown(found))
    groups = {workload.name: pictures.of(found, workload) for workload in found.workloads()}
    raw.with_name("report.html").write_text(page.as_html(found, groups))
    folder = raw.with_name("pictures")
    folder.mkdir(exist_ok=True)
    for name, drawn in groups.items():
        for at, chart in enumerate((chart for group in drawn for chart in group.charts), 1):
            (folder / f"{name}-{at}-light.svg").write_text(chart.light)
            (folder / f"{name}-{at}-dark.svg").write_text(chart.dark)
    return 0


if __name__ == "__main__":
    sys.exit(main())
