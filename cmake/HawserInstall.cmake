# Install rules and packages: the library with find_package and pkg-config files, the tool, its
# man pages, and Debian packages by CPack (`hawser` the tool, `libhawser-dev` the library).

include(CMakePackageConfigHelpers)
set(config_dir "${CMAKE_INSTALL_LIBDIR}/cmake/hawser")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/hawser"
    DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT development
    FILES_MATCHING PATTERN "*.hpp" PATTERN "*.h")
install(TARGETS hawser EXPORT hawserTargets
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT development
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT development)
install(EXPORT hawserTargets NAMESPACE hawser::
    DESTINATION "${config_dir}" COMPONENT development)

configure_package_config_file(
    "${PROJECT_SOURCE_DIR}/cmake/hawserConfig.cmake.in" "${PROJECT_BINARY_DIR}/hawserConfig.cmake"
    INSTALL_DESTINATION "${config_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/hawserConfigVersion.cmake"
    COMPATIBILITY SameMinorVersion)
install(FILES
    "${PROJECT_BINARY_DIR}/hawserConfig.cmake" "${PROJECT_BINARY_DIR}/hawserConfigVersion.cmake"
    DESTINATION "${config_dir}" COMPONENT development)

# The .pc file finds its prefix from its own place, so the package works wherever it is put.
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX
    BASE_DIRECTORY "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" OUTPUT_VARIABLE hawser_pc_to_prefix)
configure_file("${PROJECT_SOURCE_DIR}/cmake/hawser.pc.in" "${PROJECT_BINARY_DIR}/hawser.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/hawser.pc"
    DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT development)

if(TARGET hawser_cli)
    install(TARGETS hawser_cli RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT tool)
endif()
foreach(section IN ITEMS 1 3 5 7)
    file(GLOB pages CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/docs/man/*.${section}")
    if(pages)
        install(FILES ${pages}
            DESTINATION "${CMAKE_INSTALL_MANDIR}/man${section}" COMPONENT tool)
    endif()
endforeach()

set(CPACK_GENERATOR DEB TGZ)
set(CPACK_PACKAGE_DIRECTORY "${PROJECT_BINARY_DIR}/packages")
set(CPACK_PACKAGE_VENDOR "hawser")
set(CPACK_PACKAGE_CONTACT "The hawser developers <hawser@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_RESOURCE_FILE_LICENSE "${PROJECT_SOURCE_DIR}/LICENSE")
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_ARCHIVE_COMPONENT_INSTALL OFF)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_TOOL_PACKAGE_NAME hawser)
set(CPACK_DEBIAN_TOOL_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libhawser-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_COMPONENTS_ALL development)
if(TARGET hawser_cli)
    list(APPEND CPACK_COMPONENTS_ALL tool)
endif()
include(CPack)
