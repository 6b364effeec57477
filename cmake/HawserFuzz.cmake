# Each tests/fuzz/NAME.cpp is one libFuzzer program, fuzz_NAME; its corpus is tests/fuzz/corpus/NAME.

if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "HAWSER_FUZZ needs clang++: libFuzzer is a part of clang")
endif()

file(GLOB fuzzers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/fuzz/*.cpp")
foreach(source IN LISTS fuzzers)
    cmake_path(GET source STEM name)
    add_executable(fuzz_${name} "${source}")
    hawser_set_flags(fuzz_${name})
    target_link_libraries(fuzz_${name} PRIVATE hawser_internal)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
endforeach()

# What the tool reads is read by these; all of the tool would need more libraries.
target_sources(fuzz_fuzz_input PRIVATE
    "${PROJECT_SOURCE_DIR}/tools/hawser/send_input.cpp"
    "${PROJECT_SOURCE_DIR}/tools/hawser/run_words.cpp"
    "${PROJECT_SOURCE_DIR}/tools/hawser/terminal/signals.cpp")
target_include_directories(fuzz_fuzz_input PRIVATE "${PROJECT_SOURCE_DIR}/tools/hawser")

include(HawserHavoc)
