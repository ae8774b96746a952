# SPDX-License-Identifier: MIT
"""Conan 2: `conan create packaging/conan`, then require pollux/VERSION."""

import os
import re

from conan import ConanFile
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load


class Pollux(ConanFile):
    name = "pollux"
    description = "One poller that waits for everything: sockets, timers, messages, signals, processes, files"
    license = "MIT"
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False]}
    default_options = {"shared": False}

    @property
    def _tree(self):
        return os.path.join(self.recipe_folder, "..", "..")

    def set_version(self):
        header = load(self, os.path.join(self._tree, "include", "pollux.h"))
        self.version = re.search(r'#define PLX_VERSION +"(.*)"', header)[1]

    def export_sources(self):
        for pattern in "CMakeLists.txt", "LICENSE", "cmake/*", "include/*", "src/*":
            copy(self, pattern, self._tree, self.export_sources_folder)

    def configure(self):
        self.settings.rm_safe("compiler.cppstd")
        self.settings.rm_safe("compiler.libcxx")

    def layout(self):
        cmake_layout(self)

    def generate(self):
        toolchain = CMakeToolchain(self)
        for part in "TESTS", "EXAMPLES", "TOOLS", "BENCH":
            toolchain.cache_variables[f"POLLUX_{part}"] = False
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))

    def package_info(self):
        # Both libraries are there, and the CMake package that was installed with them chooses.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs = [os.path.join("lib", "cmake", "pollux")]
        self.cpp_info.libs = ["pollux"]
        self.cpp_info.system_libs = ["ws2_32"] if self.settings.os == "Windows" else ["pthread"]
