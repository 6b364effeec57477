# hawser_havoc: the shm transport under libFuzzer, built on an accessor whose memory nobody can touch
# and on a kernel of the fuzzer's own (tests/hostile/havoc/). docs/design/hostile-peer.md

set(havoc "${PROJECT_SOURCE_DIR}/tests/hostile/havoc")
file(GLOB havoc_library CONFIGURE_DEPENDS
    "${PROJECT_SOURCE_DIR}/src/segment/*.cpp"
    "${PROJECT_SOURCE_DIR}/src/transport/shm/*.cpp"
    "${PROJECT_SOURCE_DIR}/src/core/*.cpp"
    "${PROJECT_SOURCE_DIR}/src/os/*.cpp")
list(FILTER havoc_library EXCLUDE REGEX "_test\\.cpp$")
# These talk to the kernel for a mailbox; os_*.cpp stands in for them.
list(FILTER havoc_library EXCLUDE REGEX "/src/os/(file|mapping|lock|futex|clock|bell)\\.cpp$")

# For millions of runs; what is compared are mostly the fuzzer's own bytes.
set(havoc_options -O2 -fno-sanitize-coverage=trace-cmp)

# An archive: only what is used is linked.
add_library(hawser_havoc_library STATIC ${havoc_library})
hawser_set_flags(hawser_havoc_library)
target_compile_options(hawser_havoc_library PRIVATE ${havoc_options})
# Its own accessor comes first.
target_include_directories(hawser_havoc_library BEFORE PUBLIC
    "${havoc}/front" "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/include")

file(GLOB havoc_sources CONFIGURE_DEPENDS "${havoc}/*.cpp")
add_executable(hawser_havoc ${havoc_sources})
hawser_set_flags(hawser_havoc)
target_compile_options(hawser_havoc PRIVATE ${havoc_options})
target_link_libraries(hawser_havoc PRIVATE hawser_havoc_library)
target_link_options(hawser_havoc PRIVATE
    -fsanitize=fuzzer LINKER:--wrap=close LINKER:--wrap=sched_yield)
