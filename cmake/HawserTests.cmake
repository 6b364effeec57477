# hawser_test_support       tests/support/*.cpp: gtest's main with the summary line, the watchdog, …
# hawser_unit_tests         src/**/*_test.cpp (and tools/**/*_test.cpp)
# hawser_conformance_tests  tests/conformance/*.cpp
# Any other folder of tests/ builds what its own CMakeLists.txt says, with the functions below.

find_package(GTest REQUIRED)

file(GLOB support CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/support/*.cpp")
list(FILTER support EXCLUDE REGEX "_test\\.cpp$")
add_library(hawser_test_support STATIC ${support})
hawser_set_flags(hawser_test_support)
target_include_directories(hawser_test_support PUBLIC
    "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/tests")
target_link_libraries(hawser_test_support PUBLIC hawser_internal GTest::gtest GTest::gmock)

# hawser_add_test_program(NAME sources…): a program that may look inside the library.
function(hawser_add_test_program name)
    add_executable(${name} ${ARGN})
    hawser_set_flags(${name})
    target_compile_options(${name} PRIVATE $<$<CONFIG:RelWithDebInfo>:-g1>) # gtest's types are many
    if(HAWSER_SANITIZE STREQUAL "address")
        # Test code need not be fast, and so compiles in half the time; the library keeps its -O1.
        target_compile_options(${name} PRIVATE -O0)
    endif()
    # Names for the watchdog's backtraces.
    set_target_properties(${name} PROPERTIES ENABLE_EXPORTS ON)
    target_link_libraries(${name} PRIVATE hawser_internal)
endfunction()

# hawser_add_gtest(NAME sources…): a test program with the main of tests/support.
function(hawser_add_gtest name)
    hawser_add_test_program(${name} ${ARGN})
    target_link_libraries(${name} PRIVATE hawser_test_support)
endfunction()

file(GLOB_RECURSE unit CONFIGURE_DEPENDS
    "${PROJECT_SOURCE_DIR}/src/*_test.cpp" "${PROJECT_SOURCE_DIR}/tests/support/*_test.cpp")
file(GLOB_RECURSE tool_unit CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tools/*_test.cpp")
if(NOT TARGET hawser_tool_parts)
    set(tool_unit "")
endif()
if(unit OR tool_unit)
    hawser_add_gtest(hawser_unit_tests ${unit} ${tool_unit})
endif()
if(tool_unit)
    target_link_libraries(hawser_unit_tests PRIVATE hawser_tool_parts)
endif()

file(GLOB_RECURSE conformance CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/conformance/*.cpp")
if(conformance)
    hawser_add_gtest(hawser_conformance_tests ${conformance})
endif()

file(GLOB own CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/*/CMakeLists.txt"
    "${PROJECT_SOURCE_DIR}/bench/CMakeLists.txt")
foreach(list_file IN LISTS own)
    cmake_path(GET list_file PARENT_PATH folder)
    add_subdirectory("${folder}")
endforeach()
