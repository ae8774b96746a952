# SPDX-License-Identifier: MIT
"""The machine, and the versions of everything that is measured on it."""
import os
import platform
import re
import subprocess
import time
import tomllib
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parents[2]
CRATES = {"mio": "mio", "polling": "polling", "amy": "amy", "vmm-sys-util": "vmm",
          "crossbeam-channel": "crossbeam-channel"}


def says(*command: str) -> str:
    try:
        return subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def first_match(path: str, pattern: str) -> str:
    try:
        found = re.search(pattern, Path(path).read_text(), re.MULTILINE)
    except OSError:
        return ""
    return found.group(1).strip() if found else ""


def package(name: str) -> str:
    """A Debian package's version, without its epoch and revision."""
    return re.sub(r"^\d+:|-[^-]*$", "", says("dpkg-query", "-W", "-f", "${Version}", name))


def crates() -> dict[str, str]:
    lock = TOP / "bench/rust/Cargo.lock"
    if not lock.exists():
        return {}
    found = tomllib.loads(lock.read_text())["package"]
    return {CRATES[crate["name"]]: crate["version"] for crate in found if crate["name"] in CRATES}


def commit() -> str:
    return says("git", "describe", "--always", "--dirty", "--abbrev=12")


def versions() -> dict[str, str]:
    version = first_match(str(TOP / "CMakeLists.txt"), r"project\(pollux VERSION ([\d.]+)")
    found = {
        "pollux": f"{version} ({commit()})",
        "libev": package("libev-dev"),
        "libevent": says("pkg-config", "--modversion", "libevent_core") or package("libevent-dev"),
        "libuv": says("pkg-config", "--modversion", "libuv") or package("libuv1-dev"),
        **crates(),
        "gcc": says(os.environ.get("CC", "gcc"), "-dumpfullversion"),
        "rustc": says("rustc", "--version").removeprefix("rustc ").split(" ")[0],
        "libc": " ".join(platform.libc_ver()),
    }
    return {name: version for name, version in found.items() if version}


def hardware() -> dict[str, Any]:
    flags = first_match("/proc/cpuinfo", r"^flags\s*:(.*)$").split()
    memory = first_match("/proc/meminfo", r"^MemTotal:\s*(\d+)")
    return {
        "cpu": first_match("/proc/cpuinfo", r"^model name\s*:(.*)$") or platform.machine(),
        "cores": os.cpu_count(),
        "virtual": "hypervisor" in flags,
        "memory_mib": int(memory) // 1024 if memory else None,
    }


def describe() -> dict[str, Any]:
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": hardware(),
        "kernel": f"{platform.system()} {platform.release()}",
        "versions": versions(),
        "commit": commit(),
    }
