#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes results.md and report.html, beside it, of what rounds.py wrote: report.py RAW.JSONL"""
import sys
from pathlib import Path

import page
import results


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    raw = Path(sys.argv[1])
    with raw.open() as lines:
        found = results.read(lines)
    raw.with_name("results.md").write_text(page.as_markdown(found))
    raw.with_name("report.html").write_text(page.as_html(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
