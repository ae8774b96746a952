# WASI preview 1 by clang and wasi-libc, and Node to run what was built: cmake --preset wasi.

list(APPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})
set(CMAKE_SYSTEM_NAME WASI)
set(CMAKE_SYSTEM_PROCESSOR wasm32)
set(CMAKE_C_COMPILER clang)
set(CMAKE_C_COMPILER_TARGET wasm32-wasi)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)

# A stack of more than 64 KiB, and in front of the data: then one that is too small is an error.
set(CMAKE_EXE_LINKER_FLAGS_INIT -Wl,-z,stack-size=1048576,--stack-first)
