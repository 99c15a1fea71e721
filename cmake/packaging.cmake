# SPDX-License-Identifier: MIT
# What `make install` puts where.

install(TARGETS corail_static corail_shared)
install(DIRECTORY include/corail DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} OPTIONAL
  FILES_MATCHING PATTERN "*.h")
if(CORAIL_WITH_HTTP)
  install(TARGETS corail-http_static corail-http_shared)
endif()
if(TARGET corail_command)
  install(TARGETS corail_command)
endif()
