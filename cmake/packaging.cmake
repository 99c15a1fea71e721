# SPDX-License-Identifier: MIT
# What `make install` puts where: headers, libraries, pkg-config files, a CMake package, the command
# and its manual. Everything is found relative to itself, so that an installed tree can be moved.

include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/corail)
set(pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH pkgconfig_to_prefix /${pkgconfig_dir} /)
string(REGEX REPLACE "/$" "" pkgconfig_to_prefix ${pkgconfig_to_prefix})

# corail_install_library(name export_name): shared as corail::X, static as corail::X-static.
function(corail_install_library name export_name)
  set_target_properties(${name}_shared PROPERTIES EXPORT_NAME ${export_name})
  set_target_properties(${name}_static PROPERTIES EXPORT_NAME ${export_name}-static)
  foreach(kind shared static)
    target_include_directories(${name}_${kind} INTERFACE
      $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  endforeach()
  install(TARGETS ${name}_shared ${name}_static EXPORT corail
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endfunction()

# corail_install_pc(name): cmake/package/NAME.pc.in
function(corail_install_pc name)
  configure_file(cmake/package/${name}.pc.in ${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${pkgconfig_dir})
endfunction()

set(private_packages)
set(private_libraries Threads::Threads)
if(CORAIL_WITH_URING)
  list(APPEND private_packages liburing)
  list(APPEND private_libraries uring)
endif()
if(CORAIL_WITH_DNS)
  list(APPEND private_packages libcares)
  list(APPEND private_libraries cares)
endif()
list(JOIN private_packages ", " private_packages)
foreach(library IN LISTS private_libraries)
  target_link_libraries(corail_static INTERFACE $<INSTALL_INTERFACE:${library}>)
endforeach()
corail_install_library(corail corail)
corail_install_pc(corail)

set(headers_left_out)
if(CORAIL_WITH_HTTP)
  target_link_libraries(corail-http_static INTERFACE $<INSTALL_INTERFACE:curl>)
  # It finds libcorail beside itself.
  set_target_properties(corail-http_shared PROPERTIES INSTALL_RPATH \$ORIGIN)
  corail_install_library(corail-http http)
  corail_install_pc(corail-http)
else()
  list(APPEND headers_left_out http http_server curl)
endif()
foreach(name tls pg sqlite redis)
  if(NOT name IN_LIST corail_extensions)
    list(APPEND headers_left_out ${name})
    continue()
  endif()
  string(TOUPPER ${name} NAME)
  foreach(package IN LISTS ${NAME}_LIBRARIES)
    target_link_libraries(corail-${name}_static INTERFACE $<INSTALL_INTERFACE:${package}>)
  endforeach()
  set_target_properties(corail-${name}_shared PROPERTIES INSTALL_RPATH \$ORIGIN)
  corail_install_library(corail-${name} ${name})
  set(extension_name ${name})
  set(extension_packages ${CORAIL_${NAME}_PACKAGES})
  set(extension_libraries ${CORAIL_${NAME}_LIBRARIES})
  list(JOIN extension_libraries " " extension_requires)
  configure_file(cmake/package/corail-extension.pc.in corail-${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/corail-${name}.pc DESTINATION ${pkgconfig_dir})
endforeach()
set(headers_without)
if(headers_left_out)
  list(JOIN headers_left_out "|" headers_left_out)
  set(headers_without REGEX "/(${headers_left_out})\\.h$" EXCLUDE)
endif()
install(DIRECTORY include/corail DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h" ${headers_without})

install(EXPORT corail NAMESPACE corail:: DESTINATION ${package_dir} FILE corail-targets.cmake)
configure_package_config_file(cmake/package/corail-config.cmake.in corail-config.cmake
  INSTALL_DESTINATION ${package_dir} NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(corail-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/corail-config.cmake
  ${PROJECT_BINARY_DIR}/corail-config-version.cmake DESTINATION ${package_dir})

if(TARGET corail_debug)
  install(TARGETS corail_debug LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
if(TARGET corail_command)
  install(TARGETS corail_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
corail_glob(manuals man/*.1)
install(FILES ${manuals} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
corail_glob(gdb_scripts tools/corail-gdb*.py)
install(FILES ${gdb_scripts} DESTINATION ${CMAKE_INSTALL_DATADIR}/corail)
