# Each examples/NAME.cpp is one program, built as a user would: against hawser::hawser only.

file(GLOB examples CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/examples/*.cpp")
foreach(source IN LISTS examples)
    cmake_path(GET source STEM name)
    add_executable(example_${name} "${source}")
    hawser_set_flags(example_${name})
    target_link_libraries(example_${name} PRIVATE hawser::hawser)
    set_target_properties(example_${name} PROPERTIES
        OUTPUT_NAME "${name}"
        RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin/examples")
endforeach()
