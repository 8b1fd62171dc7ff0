# SPDX-License-Identifier: Apache-2.0
# All floors together: libregard.a, which the programs link, and libregard.so for installing.
add_library(regard_static STATIC)
target_link_libraries(regard_static PUBLIC ${REGARD_FLOORS})
set_target_properties(regard_static PROPERTIES OUTPUT_NAME regard)
