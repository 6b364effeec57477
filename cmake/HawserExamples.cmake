# Each examples/NAME.cpp is one program, built as a user would: against hawser::hawser only.

file(GLOB examples CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/examples/*.cpp")
include(CheckIncludeFileCXX)
check_include_file_cxx(asio.hpp HAWSER_HAS_ASIO)
check_include_file_cxx(boost/asio.hpp HAWSER_HAS_BOOST_ASIO)
if(NOT HAWSER_HAS_ASIO AND NOT HAWSER_HAS_BOOST_ASIO)
    message(STATUS "No Asio (libasio-dev): its example is not built")
    list(FILTER examples EXCLUDE REGEX "_asio\\.cpp$")
endif()
foreach(source IN LISTS examples)
    cmake_path(GET source STEM name)
    add_executable(example_${name} "${source}")
    hawser_set_flags(example_${name})
    target_link_libraries(example_${name} PRIVATE hawser::hawser)
    set_target_properties(example_${name} PROPERTIES
        OUTPUT_NAME "${name}"
        RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin/examples")
endforeach()
