#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints pollux.h as cffi reads it: its types, constants and functions, without the rest.

    python3 generate.py path/to/pollux.h >pollux.cdef

Needs a C compiler, $CC or cc, which knows what of the header is for this system.
"""

import os
import re
import subprocess
import sys

header = sys.argv[1]
said = subprocess.run([os.environ.get("CC", "cc"), "-E", "-dD", header],
                      check=True, stdout=subprocess.PIPE, text=True).stdout

# What the header itself says, not what it includes.
own, inside = [], False
for line in said.splitlines():
    marker = re.match(r'# \d+ "(.*?)"', line)
    if marker:
        inside = marker[1] == header
    elif inside and (not line.startswith("#") or re.match(r"#define PLX_\w+ 0x[0-9a-f]+u$", line)):
        own.append(line)

text = "\n".join(own)
text = re.sub(r"__attribute__\(\(.*?\)\) ", "", text)
text = re.sub(r"static inline .*?\n\{.*?\n\}", "", text, flags=re.DOTALL)
print("typedef int pid_t;")
print(re.sub(r"\n\n+", "\n", text).strip())
