# cmake --install: the headers, both libraries, and how CMake and pkg-config find them.

include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/pollux)

install(FILES include/pollux.h include/pollux.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS pollux_static pollux_shared EXPORT pollux
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT pollux NAMESPACE pollux:: FILE pollux-targets.cmake DESTINATION ${package_dir})

# Before 1.0 a new minor version may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/pollux-config-version.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES cmake/pollux-config.cmake ${PROJECT_BINARY_DIR}/pollux-config-version.cmake
    DESTINATION ${package_dir})

# pollux.pc finds the prefix from its own place, so that an installed tree can be moved.
# A folder that was given as an absolute path stays what it is.
set(pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
if(IS_ABSOLUTE "${pc_dir}")
    set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
else()
    set(pc_up "/")
    cmake_path(RELATIVE_PATH pc_up BASE_DIRECTORY "/${pc_dir}")
    set(pc_prefix "\${pcfiledir}/${pc_up}")
endif()
set(pc_includedir "\${prefix}")
set(pc_libdir "\${prefix}")
cmake_path(APPEND pc_includedir "${CMAKE_INSTALL_INCLUDEDIR}")
cmake_path(APPEND pc_libdir "${CMAKE_INSTALL_LIBDIR}")
set(pc_libs_private -pthread)
if(WIN32)
    set(pc_libs_private -lws2_32)
endif()
configure_file(cmake/pollux.pc.in pollux.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/pollux.pc DESTINATION ${pc_dir})
