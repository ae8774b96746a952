# find_package(pollux): pollux::static, pollux::shared, and pollux::pollux, which is the
# one of them that BUILD_SHARED_LIBS asks for.

include(CMakeFindDependencyMacro)
find_dependency(Threads)

include(${CMAKE_CURRENT_LIST_DIR}/pollux-targets.cmake)

if(NOT TARGET pollux::pollux)
    add_library(pollux::pollux INTERFACE IMPORTED)
    target_link_libraries(pollux::pollux INTERFACE
        $<IF:$<BOOL:${BUILD_SHARED_LIBS}>,pollux::shared,pollux::static>)
endif()
