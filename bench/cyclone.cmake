# idlc turns blob.idl into a C file that describes the type.
find_package(CycloneDDS CONFIG QUIET)
find_program(HAWSER_IDLC idlc)
if(CycloneDDS_FOUND AND HAWSER_IDLC)
    enable_language(C)
    set(blob "${CMAKE_CURRENT_BINARY_DIR}/blob")
    add_custom_command(OUTPUT "${blob}.c" "${blob}.h"
        COMMAND "${HAWSER_IDLC}" -l c "${CMAKE_CURRENT_SOURCE_DIR}/baselines/blob.idl"
        DEPENDS baselines/blob.idl
        WORKING_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}")
    add_library(hawser_bench_blob OBJECT EXCLUDE_FROM_ALL "${blob}.c" "${blob}.h")
    target_include_directories(hawser_bench_blob SYSTEM PUBLIC "${CMAKE_CURRENT_BINARY_DIR}")
    target_link_libraries(hawser_bench_blob PUBLIC CycloneDDS::ddsc)
    bench_peer(CYCLONE baselines/cyclone.cpp hawser_bench_blob)
endif()
