# SPDX-License-Identifier: MIT
# The command and the examples. They link the static library: the command works from anywhere,
# without a search path.

corail_glob(cli_sources cli/*.c)
if(CORAIL_WITH_HTTP AND cli_sources)
  add_executable(corail_command ${cli_sources})
  set_target_properties(corail_command PROPERTIES
    OUTPUT_NAME corail RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
  target_compile_definitions(corail_command PRIVATE CORAIL_VERSION="${PROJECT_VERSION}"
    CORAIL_CODINGS="${CORAIL_HTTP_CODINGS}")
  target_link_libraries(corail_command PRIVATE corail-http_static corail_flags)
  foreach(extension IN LISTS corail_extensions)
    string(TOUPPER ${extension} EXTENSION)
    target_compile_definitions(corail_command PRIVATE CORAIL_WITH_${EXTENSION}=1)
    target_link_libraries(corail_command PRIVATE corail-${extension}_static)
  endforeach()
  # For `corail get --digest`; without it, that option says that it is not there.
  pkg_check_modules(CRYPTO QUIET IMPORTED_TARGET libcrypto>=3)
  if(CRYPTO_FOUND)
    target_compile_definitions(corail_command PRIVATE CORAIL_WITH_CRYPTO=1)
    target_link_libraries(corail_command PRIVATE PkgConfig::CRYPTO)
  endif()
endif()

corail_glob(examples examples/*.c)
foreach(source IN LISTS examples)
  get_filename_component(name ${source} NAME_WE)
  file(STRINGS ${source} needs_http REGEX "#include <(corail/(http|curl)|curl/)")
  if(needs_http AND NOT CORAIL_WITH_HTTP)
    continue()
  endif()
  file(STRINGS ${source} included REGEX "#include <corail/(tls|pg|sqlite|redis)\\.h>")
  set(extensions)
  set(possible TRUE)
  foreach(line IN LISTS included)
    string(REGEX REPLACE ".*<corail/([a-z]+)\\.h>.*" "\\1" extension ${line})
    list(APPEND extensions corail-${extension}_static)
    if(NOT extension IN_LIST corail_extensions)
      set(possible FALSE)
    endif()
  endforeach()
  if(NOT possible)
    continue()
  endif()
  add_executable(example_${name} ${source})
  set_target_properties(example_${name} PROPERTIES
    OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/examples)
  target_link_libraries(example_${name} PRIVATE
    ${extensions} $<IF:$<BOOL:${CORAIL_WITH_HTTP}>,corail-http_static,corail_static> corail_flags)
  # What stands in for argv is an array of char *, as argv is.
  set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS -Wno-write-strings)
endforeach()
