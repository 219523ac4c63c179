# cmake -C deploy/cmake/fuzz.cmake -B build-fuzz -S . : libFuzzer needs clang.
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(CMAKE_C_COMPILER clang CACHE STRING "")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g" CACHE STRING "")
set(HEADLIGHT_SANITIZE "address,undefined" CACHE STRING "")
set(HEADLIGHT_FUZZ ON CACHE BOOL "")
