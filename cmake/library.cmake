# SPDX-License-Identifier: Apache-2.0
# All floors together: libregard.a, which the programs link, and libregard.so for installing with
# find_package(regard).
include(${CMAKE_SOURCE_DIR}/cmake/public_headers.cmake)
include(CMakePackageConfigHelpers)

add_library(regard_static STATIC)
target_link_libraries(regard_static PUBLIC ${REGARD_FLOORS})
set_target_properties(regard_static PROPERTIES OUTPUT_NAME regard)

# The library that is installed. Only the programs' own builds see the floors.
add_library(regard_shared SHARED EXCLUDE_FROM_ALL)
target_link_libraries(regard_shared PRIVATE ${REGARD_FLOORS})
target_include_directories(regard_shared INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(regard_shared INTERFACE cxx_std_20)
set_target_properties(regard_shared PROPERTIES
                      OUTPUT_NAME regard EXPORT_NAME regard
                      VERSION ${PROJECT_VERSION} SOVERSION 0)
# Its threads live until the process ends, so it must stay loaded.
target_link_options(regard_shared PRIVATE -Wl,-z,nodelete)

# What `regard --version` says; configured anew when the commit changes.
set(REGARD_COMMIT "unknown")
find_package(Git QUIET)
if(GIT_FOUND AND EXISTS ${CMAKE_SOURCE_DIR}/.git)
  execute_process(COMMAND ${GIT_EXECUTABLE} describe --always --tags --abbrev=10
                  WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
                  OUTPUT_VARIABLE described OUTPUT_STRIP_TRAILING_WHITESPACE
                  ERROR_QUIET RESULT_VARIABLE failed)
  if(NOT failed)
    set(REGARD_COMMIT "${described}")
  endif()
  if(EXISTS ${CMAKE_SOURCE_DIR}/.git/logs/HEAD)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
                 ${CMAKE_SOURCE_DIR}/.git/logs/HEAD)
  endif()
endif()
# Of one source alone: nothing else is compiled anew for a commit.
set_source_files_properties(
  ${CMAKE_SOURCE_DIR}/regard/session/version.cc PROPERTIES COMPILE_DEFINITIONS
  "REGARD_VERSION=\"${PROJECT_VERSION}\";REGARD_COMMIT=\"${REGARD_COMMIT}\"")

install(TARGETS regard_shared EXPORT regard
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
foreach(header IN LISTS REGARD_PUBLIC_HEADERS)
  get_filename_component(folder ${header} DIRECTORY)
  install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/${folder} COMPONENT library)
endforeach()
install(EXPORT regard NAMESPACE regard:: FILE regardTargets.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/regard COMPONENT library)
configure_package_config_file(cmake/regardConfig.cmake.in regardConfig.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/regard)
write_basic_package_version_file(regardConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/regardConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/regardConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/regard COMPONENT library)
install(FILES LICENSE THIRD_PARTY.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT library)

# The page as it was built from web/ (`npm run build` there), for page_files.cc.
set(REGARD_PAGE_FOLDER ${CMAKE_SOURCE_DIR}/web/dist)
file(GLOB page_files CONFIGURE_DEPENDS ${REGARD_PAGE_FOLDER}/*)
set_source_files_properties(${CMAKE_SOURCE_DIR}/regard/session/page_files.cc
                            TARGET_DIRECTORY regard_session
                            PROPERTIES OBJECT_DEPENDS "${page_files}"
                            COMPILE_DEFINITIONS "REGARD_PAGE_FOLDER=\"${REGARD_PAGE_FOLDER}\"")
