# cmake -C deploy/cmake/release.cmake -B build -S .
set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "")
