# One target per layer, and each links only lower ones: os < sync < segment < core < wire <
# transports.
# `./dev lint` checks the same rule on the includes.
#
# core declares find_transport(); src/transport/table.cpp, the one list of all transports, defines
# it. So core reaches a transport at link time without including anything above itself.

set_property(GLOBAL PROPERTY HAWSER_OBJECT_LAYERS "")

# hawser_add_layer(TARGET SOURCES files… LOWER targets…)
# A layer without a .cpp file (templates only) is an INTERFACE target.
function(hawser_add_layer target)
    cmake_parse_arguments(PARSE_ARGV 1 layer "" "" "SOURCES;LOWER")
    list(FILTER layer_SOURCES EXCLUDE REGEX "_test\\.cpp$")
    if(layer_SOURCES)
        add_library(${target} OBJECT ${layer_SOURCES})
        hawser_set_flags(${target})
        set_property(GLOBAL APPEND PROPERTY HAWSER_OBJECT_LAYERS ${target})
        set(scope PUBLIC)
    else()
        add_library(${target} INTERFACE)
        set(scope INTERFACE)
    endif()
    target_include_directories(${target} ${scope}
        "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/include")
    target_link_libraries(${target} ${scope} ${layer_LOWER})
endfunction()

# hawser_add_folder_layer(TARGET FOLDER LOWER targets…): the layer of all sources below src/FOLDER.
function(hawser_add_folder_layer target folder)
    cmake_parse_arguments(PARSE_ARGV 2 layer "" "" "LOWER")
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/${folder}/*.cpp")
    hawser_add_layer(${target} SOURCES ${sources} LOWER ${layer_LOWER})
endfunction()

hawser_add_folder_layer(hawser_os os)
hawser_add_folder_layer(hawser_sync sync LOWER hawser_os)
hawser_add_folder_layer(hawser_segment segment LOWER hawser_sync)
hawser_add_folder_layer(hawser_core core LOWER hawser_segment)
hawser_add_folder_layer(hawser_wire wire LOWER hawser_core)

set(hawser_transports "")
file(GLOB folders CONFIGURE_DEPENDS LIST_DIRECTORIES true
    RELATIVE "${PROJECT_SOURCE_DIR}/src/transport" "${PROJECT_SOURCE_DIR}/src/transport/*")
foreach(folder IN LISTS folders)
    if(IS_DIRECTORY "${PROJECT_SOURCE_DIR}/src/transport/${folder}")
        string(REPLACE "-" "_" name "${folder}")
        hawser_add_folder_layer(hawser_transport_${name} transport/${folder} LOWER hawser_wire)
        list(APPEND hawser_transports hawser_transport_${name})
    endif()
endforeach()

file(GLOB table CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/transport/*.cpp")
hawser_add_layer(hawser_transport_table SOURCES ${table} LOWER ${hawser_transports} hawser_core)

hawser_add_folder_layer(hawser_capi capi LOWER hawser_core)
