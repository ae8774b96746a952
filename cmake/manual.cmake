# The manual pages, written from the header's comments; installed with the library. Package managers
# that take the sources alone go without.

if(NOT EXISTS ${PROJECT_SOURCE_DIR}/tools/manual)
    return()
endif()
find_package(Python3 COMPONENTS Interpreter)
if(NOT Python3_Interpreter_FOUND)
    message(STATUS "Pollux is built without its manual pages: there is no Python 3")
    return()
endif()

set(manual ${PROJECT_BINARY_DIR}/man)
file(GLOB files CONFIGURE_DEPENDS tools/manual/*.py)
add_custom_command(OUTPUT ${manual}/man7/pollux.7
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${manual}
    COMMAND ${CMAKE_COMMAND} -E env PYTHONDONTWRITEBYTECODE=1
        ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/manual ${PROJECT_SOURCE_DIR}/include/pollux.h ${manual}
    DEPENDS include/pollux.h ${files} VERBATIM)
add_custom_target(manual ALL DEPENDS ${manual}/man7/pollux.7)
install(DIRECTORY ${manual}/ DESTINATION ${CMAKE_INSTALL_MANDIR})
