# hawser_set_flags(TARGET): the compile and link flags of every target of this tree.
# They are set per target, so nothing leaks into a project that adds hawser as a subdirectory.

set(hawser_warnings
    -Wall -Wextra -Wpedantic
    -Wshadow -Wconversion -Wsign-conversion
    -Wcast-align -Wcast-qual -Wold-style-cast
    -Wformat=2 -Wimplicit-fallthrough -Wnon-virtual-dtor -Woverloaded-virtual
    -Wundef -Wunused -Wdate-time)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # -Wrestrict of GCC 12 misjudges `"literal" + string` (GCC bug 105651).
    list(APPEND hawser_warnings -Wduplicated-cond -Wlogical-op -Wextra-semi -Wno-restrict)
endif()
if(HAWSER_WARNINGS_AS_ERRORS)
    list(APPEND hawser_warnings -Werror)
endif()

set(hawser_sanitize_flags "")
if(HAWSER_SANITIZE STREQUAL "address")
    set(hawser_sanitize_flags -fsanitize=address,undefined -fno-sanitize-recover=all)
elseif(HAWSER_SANITIZE STREQUAL "thread")
    set(hawser_sanitize_flags -fsanitize=thread)
elseif(HAWSER_SANITIZE)
    message(FATAL_ERROR "HAWSER_SANITIZE is '${HAWSER_SANITIZE}'; use address, thread or nothing")
endif()
if(hawser_sanitize_flags)
    list(APPEND hawser_sanitize_flags -fno-omit-frame-pointer)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        # GCC's flow warnings take the checks that a sanitizer inserts for code of ours.
        list(APPEND hawser_warnings -Wno-maybe-uninitialized -Wno-stringop-overflow)
    endif()
endif()
if(HAWSER_FUZZ)
    # Coverage feedback in every object; only the fuzz targets link libFuzzer's main.
    list(APPEND hawser_sanitize_flags -fsanitize=fuzzer-no-link)
endif()

# The static library keeps its symbols out of what it is linked into. The shared one exports what
# cmake/hawser.map lists, so that the public headers need no export macros.
if(BUILD_SHARED_LIBS)
    set(hawser_visibility default)
else()
    set(hawser_visibility hidden)
endif()

function(hawser_set_flags target)
    target_compile_features(${target} PRIVATE cxx_std_20)
    target_compile_options(${target} PRIVATE
        ${hawser_warnings}
        ${hawser_sanitize_flags}
        # The same source gives the same object in every directory.
        "-ffile-prefix-map=${PROJECT_SOURCE_DIR}=.")
    target_link_options(${target} PRIVATE ${hawser_sanitize_flags})
    set_target_properties(${target} PROPERTIES
        CXX_EXTENSIONS OFF
        CXX_VISIBILITY_PRESET ${hawser_visibility}
        VISIBILITY_INLINES_HIDDEN ON
        POSITION_INDEPENDENT_CODE ON)
endfunction()
