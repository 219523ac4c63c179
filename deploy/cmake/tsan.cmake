# cmake -C deploy/cmake/tsan.cmake -B build-tsan -S .
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(HEADLIGHT_SANITIZE "thread" CACHE STRING "")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g" CACHE STRING "")
