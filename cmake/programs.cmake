# SPDX-License-Identifier: MIT
# The command and the examples. They link the static library: the command works from anywhere,
# without a search path.

corail_glob(cli_sources cli/*.c)
if(CORAIL_WITH_HTTP AND cli_sources)
  add_executable(corail_command ${cli_sources})
  set_target_properties(corail_command PROPERTIES
    OUTPUT_NAME corail RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
  target_compile_definitions(corail_command PRIVATE CORAIL_VERSION="${PROJECT_VERSION}")
  target_link_libraries(corail_command PRIVATE corail-http_static corail_flags)
endif()

corail_glob(examples examples/*.c)
foreach(source IN LISTS examples)
  get_filename_component(name ${source} NAME_WE)
  file(STRINGS ${source} needs_http REGEX "#include <(corail/(http|curl)|curl/)")
  if(needs_http AND NOT CORAIL_WITH_HTTP)
    continue()
  endif()
  add_executable(example_${name} ${source})
  set_target_properties(example_${name} PROPERTIES
    OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/examples)
  target_link_libraries(example_${name} PRIVATE
    $<IF:$<BOOL:${CORAIL_WITH_HTTP}>,corail-http_static,corail_static> corail_flags)
  # What stands in for argv is an array of char *, as argv is.
  set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS -Wno-write-strings)
endforeach()
