# SPDX-License-Identifier: Apache-2.0
# A floor is a folder regard/<name>: its sources make the object library regard_<name>, its
# *_test.cc make the program test_<name>, linked with this floor and those below it only.
set(REGARD_FLOORS "" CACHE INTERNAL "")
# For sources whose speed nobody waits for, while their compilation is waited for.
set(REGARD_QUICK_COMPILE $<$<NOT:$<CONFIG:Debug>>:-O1>)

function(regard_floor name)
  cmake_parse_arguments(ARG "" "" "PACKAGES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/regard/${name}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")

  set(below ${REGARD_FLOORS})
  add_library(regard_${name} OBJECT ${sources})
  target_include_directories(regard_${name} PUBLIC ${CMAKE_SOURCE_DIR})
  foreach(package IN LISTS ARG_PACKAGES)
    target_link_libraries(regard_${name} PUBLIC regard_dep_${package})
  endforeach()
  set(here ${below} regard_${name})
  set(REGARD_FLOORS ${here} CACHE INTERNAL "")

  if(REGARD_TESTS AND tests)
    add_executable(test_${name} ${tests})
    target_link_libraries(test_${name} PRIVATE ${here} GTest::gmock GTest::gtest_main)
    target_compile_definitions(test_${name} PRIVATE REGARD_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    target_compile_options(test_${name} PRIVATE ${REGARD_QUICK_COMPILE})
    gtest_discover_tests(test_${name} TEST_PREFIX ${name}. DISCOVERY_TIMEOUT 60
                         PROPERTIES TIMEOUT 600)
  endif()
endfunction()
