# cmake -C deploy/cmake/debug.cmake -B build-debug -S .
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
