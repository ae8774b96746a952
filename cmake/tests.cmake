# How everything that runs under CTest is built and registered.

# pollux_test(NAME [TIMEOUT SECONDS] COMMAND ...): a test that exits with 77 was skipped.
function(pollux_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "COMMAND")
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 30)
    endif()
    if(CMAKE_CROSSCOMPILING_EMULATOR) # is slow
        math(EXPR arg_TIMEOUT "4 * ${arg_TIMEOUT}")
    endif()
    add_test(NAME ${name} COMMAND ${arg_COMMAND})
    set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT ${arg_TIMEOUT})
endfunction()

# pollux_programs(NAMES KIND FOLDER LIBRARY): every FOLDER/NAME.c as an executable NAME in
# the same folder of the build, target KIND.NAME. The variable NAMES gets their names.
function(pollux_programs names kind folder library)
    file(GLOB files CONFIGURE_DEPENDS ${folder}/*.c)
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
