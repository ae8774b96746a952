# An overlay port, of the tree that it stands in: vcpkg install pollux --overlay-ports=packaging/vcpkg
# Both libraries are installed; pollux::pollux is the one that BUILD_SHARED_LIBS asks for.
set(VCPKG_POLICY_DLLS_IN_STATIC_LIBRARY enabled)

get_filename_component(SOURCE_PATH "${CURRENT_PORT_DIR}/../../.." ABSOLUTE)
vcpkg_cmake_configure(
    SOURCE_PATH "${SOURCE_PATH}"
    OPTIONS
        -DPOLLUX_TESTS=OFF
        -DPOLLUX_EXAMPLES=OFF
        -DPOLLUX_TOOLS=OFF
        -DPOLLUX_BENCH=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/pollux)
vcpkg_fixup_pkgconfig()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
