# cmake -C deploy/cmake/asan.cmake -B build-asan -S .
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(HEADLIGHT_SANITIZE "address,undefined" CACHE STRING "")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g" CACHE STRING "")
