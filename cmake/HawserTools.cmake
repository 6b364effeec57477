# The command line tool. All but main.cpp is an object library, so that unit tests can reach it.

find_package(CLI11 REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto) # SHA-256 in `hawser demo`

file(GLOB_RECURSE tool_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tools/hawser/*.cpp")
list(FILTER tool_sources EXCLUDE REGEX "_test\\.cpp$")
set(tool_main "${PROJECT_SOURCE_DIR}/tools/hawser/main.cpp")
list(REMOVE_ITEM tool_sources "${tool_main}")

if(tool_sources)
    add_library(hawser_tool_parts OBJECT ${tool_sources})
    hawser_set_flags(hawser_tool_parts)
    # Line numbers, but no descriptions of the types of CLI11, fmt and json: a quarter of the build.
    target_compile_options(hawser_tool_parts PRIVATE $<$<CONFIG:RelWithDebInfo>:-g1>)
    target_include_directories(hawser_tool_parts PUBLIC "${PROJECT_SOURCE_DIR}/tools/hawser")
    target_link_libraries(hawser_tool_parts PUBLIC
        hawser_internal CLI11::CLI11 fmt::fmt nlohmann_json::nlohmann_json OpenSSL::Crypto)
endif()

if(EXISTS "${tool_main}")
    add_executable(hawser_cli "${tool_main}")
    hawser_set_flags(hawser_cli)
    target_link_libraries(hawser_cli PRIVATE
        $<TARGET_NAME_IF_EXISTS:hawser_tool_parts>
        hawser_internal CLI11::CLI11 fmt::fmt nlohmann_json::nlohmann_json OpenSSL::Crypto)
    # Named after its target `hawser_cli`, as `hawser` is the library; the program is `hawser`.
    set_target_properties(hawser_cli PROPERTIES OUTPUT_NAME hawser)
endif()
