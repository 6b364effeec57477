# hawser           the library that is installed (static, or shared with BUILD_SHARED_LIBS); only
#                  the public headers are on its include path
# hawser_internal  the same objects, always static, with src/ on the include path: for the tests
#                  and the tools that look inside, which hidden visibility would shut out

get_property(layers GLOBAL PROPERTY HAWSER_OBJECT_LAYERS)
set(objects "")
foreach(layer IN LISTS layers)
    list(APPEND objects $<TARGET_OBJECTS:${layer}>)
endforeach()

if(layers)
    add_library(hawser ${objects})
    hawser_set_flags(hawser)
    set_target_properties(hawser PROPERTIES
        LINKER_LANGUAGE CXX
        VERSION ${PROJECT_VERSION}
        SOVERSION ${PROJECT_VERSION_MAJOR})
    if(BUILD_SHARED_LIBS)
        set(map "${PROJECT_SOURCE_DIR}/cmake/hawser.map")
        target_link_options(hawser PRIVATE
            "LINKER:--version-script=${map}" LINKER:-Bsymbolic-functions LINKER:--no-undefined)
        set_target_properties(hawser PROPERTIES LINK_DEPENDS "${map}")
    endif()
    add_library(hawser_internal STATIC EXCLUDE_FROM_ALL ${objects})
    hawser_set_flags(hawser_internal)
    set_target_properties(hawser_internal PROPERTIES LINKER_LANGUAGE CXX)
    set(scope PUBLIC)
else()
    add_library(hawser INTERFACE)
    add_library(hawser_internal INTERFACE)
    set(scope INTERFACE)
endif()

target_compile_features(hawser ${scope} cxx_std_20)
target_include_directories(hawser ${scope}
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
add_library(hawser::hawser ALIAS hawser)

target_compile_features(hawser_internal ${scope} cxx_std_20)
target_include_directories(hawser_internal ${scope}
    "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/include")
