# SPDX-License-Identifier: MIT
"""Writes the manual pages of a header: manual HEADER FOLDER

The date of the pages is SOURCE_DATE_EPOCH, or the header's.
"""
import os
import sys
from datetime import datetime, timezone
from pathlib import Path

import header
import mdoc


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    source, folder = Path(sys.argv[1]), Path(sys.argv[2])
    made = float(os.environ.get("SOURCE_DATE_EPOCH") or source.stat().st_mtime)
    date = datetime.fromtimestamp(made, timezone.utc)
    try:
        pages = mdoc.write(header.read(source.read_text()), f"{date:%B} {date.day}, {date.year}")
    except header.Malformed as error:
        print(f"{source}: {error}", file=sys.stderr)
        return 1
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
