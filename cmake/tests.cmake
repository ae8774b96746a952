# How everything that runs under CTest is built and registered.

# Programs of Windows run under Wine, which is started for the tests and ended with them.
set(wine FALSE)
if(WIN32 AND CMAKE_CROSSCOMPILING_EMULATOR)
    set(wine TRUE)
    add_test(NAME wine.start COMMAND ${CMAKE_CROSSCOMPILING_EMULATOR} --start)
    add_test(NAME wine.stop COMMAND ${CMAKE_CROSSCOMPILING_EMULATOR} --stop)
    set_tests_properties(wine.start PROPERTIES FIXTURES_SETUP wine)
    set_tests_properties(wine.stop PROPERTIES FIXTURES_CLEANUP wine)
    set_tests_properties(wine.start wine.stop PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 180)
endif()

# pollux_test(NAME [TIMEOUT SECONDS] COMMAND ...): a test that exits with 77 was skipped. The limit
# is for what hangs: a busy machine takes ten times as long as an idle one.
function(pollux_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "COMMAND")
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 120)
    endif()
    if(CMAKE_CROSSCOMPILING_EMULATOR OR CMAKE_C_FLAGS MATCHES "--coverage") # is slow
        math(EXPR arg_TIMEOUT "2 * ${arg_TIMEOUT}")
    endif()
    add_test(NAME ${name} COMMAND ${arg_COMMAND})
    set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT ${arg_TIMEOUT})
    if(wine)
        set_tests_properties(${name} PROPERTIES FIXTURES_REQUIRED wine)
    endif()
endfunction()

# pollux_programs(NAMES KIND FOLDER LIBRARY [EXCEPT NAME...]): every FOLDER/NAME.c as an
# executable NAME in the same folder of the build, target KIND.NAME. The variable NAMES gets
# their names.
function(pollux_programs names kind folder library)
    cmake_parse_arguments(PARSE_ARGV 4 arg "" "" "EXCEPT")
    file(GLOB files CONFIGURE_DEPENDS ${folder}/*.c)
    list(TRANSFORM arg_EXCEPT REPLACE "(.+)" "${CMAKE_CURRENT_SOURCE_DIR}/${folder}/\\1.c")
    list(REMOVE_ITEM files ${arg_EXCEPT})
    set(found)
    foreach(file IN LISTS files)
        cmake_path(GET file STEM name)
        add_executable(${kind}.${name} ${file})
        target_link_libraries(${kind}.${name} PRIVATE ${library} Threads::Threads)
        set_target_properties(${kind}.${name} PROPERTIES
            OUTPUT_NAME ${name}
            RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/${folder})
        list(APPEND found ${name})
    endforeach()
    set(${names} ${found} PARENT_SCOPE)
endfunction()
