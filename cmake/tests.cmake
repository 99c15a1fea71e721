# SPDX-License-Identifier: MIT
# Every file of a test folder is one program and one test (or one per backend). A line such as
#   ctest: timeout=120 labels=notsan,slow needs=dns,http serial
# in the source sets what CTest should know about it. What needs something that this configuration
# leaves out (uring, dns, http, tls, pg, sqlite, redis) is left out too.

set(backends epoll sim)
if(CORAIL_WITH_URING)
  list(PREPEND backends uring)
endif()

corail_glob(support_sources tests/support/*.c)
if(support_sources)
  add_library(corail_test_support STATIC EXCLUDE_FROM_ALL ${support_sources})
  target_include_directories(corail_test_support PRIVATE
    ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR}/tests/support)
  target_link_libraries(corail_test_support PRIVATE corail_flags PUBLIC corail_static)
endif()

# corail_test_sources(variable folder): the programs of a folder that can be built here.
function(corail_test_sources variable folder)
  corail_glob(sources tests/${folder}/*.c)
  set(wanted)
  foreach(source IN LISTS sources)
    file(STRINGS ${source} line REGEX "ctest: .*needs=" LIMIT_COUNT 1)
    set(possible TRUE)
    if(line MATCHES "needs=([a-z,]+)")
      string(TOUPPER ${CMAKE_MATCH_1} needs)
      string(REPLACE "," ";" needs ${needs})
      foreach(need IN LISTS needs)
        if(NOT CORAIL_WITH_${need})
          set(possible FALSE)
        endif()
      endforeach()
    endif()
    if(possible)
      list(APPEND wanted ${source})
    endif()
  endforeach()
  set(${variable} ${wanted} PARENT_SCOPE)
endfunction()

# Tests are built by the target `tests`, not by `all`: who only wants the library need not wait for
# them. What a configuration needs that does not run all of them: the target tests_FOLDER.
add_custom_target(tests)
foreach(folder unit conformance sim torture http fuzz tls pg sqlite redis stress)
  add_custom_target(tests_${folder})
endforeach()

# corail_test_program(target source): built in tests/FOLDER/NAME of the build directory.
function(corail_test_program target source)
  get_filename_component(name ${source} NAME_WE)
  get_filename_component(folder ${source} DIRECTORY)
  get_filename_component(folder ${folder} NAME)
  add_executable(${target} EXCLUDE_FROM_ALL ${source})
  add_dependencies(tests ${target})
  if(TARGET tests_${folder})
    add_dependencies(tests_${folder} ${target})
  endif()
  if(CORAIL_SANITIZE)
    # A third of the time to compile them, and what is tested is the library.
    target_compile_options(${target} PRIVATE -O0)
  endif()
  set_target_properties(${target} PROPERTIES
    OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/${folder})
  target_include_directories(${target} PRIVATE
    ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR}/tests/support)
  target_compile_definitions(${target} PRIVATE
    CORAIL_WITH_URING=$<BOOL:${CORAIL_WITH_URING}> CORAIL_WITH_DNS=$<BOOL:${CORAIL_WITH_DNS}>)
  if(TARGET corail_test_support)
    target_link_libraries(${target} PRIVATE corail_test_support)
  endif()
  if(CORAIL_WITH_HTTP)
    target_link_libraries(${target} PRIVATE corail-http_static)
  endif()
  foreach(extension IN LISTS corail_extensions)
    target_link_libraries(${target} PRIVATE corail-${extension}_static)
  endforeach()
  target_link_libraries(${target} PRIVATE corail_static corail_flags)
endfunction()

# corail_test(name source label command...): the test, with what its source says about it.
function(corail_test name source label)
  add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY ${PROJECT_BINARY_DIR})
  set(timeout 120)
  set(labels ${label})
  file(STRINGS ${source} line REGEX "ctest: " LIMIT_COUNT 1)
  if(line MATCHES "timeout=([0-9]+)")
    set(timeout ${CMAKE_MATCH_1})
  endif()
  if(CORAIL_SANITIZE OR CMAKE_CROSSCOMPILING)
    math(EXPR timeout "3 * ${timeout}")
  endif()
  if(line MATCHES "labels=([a-z0-9,]+)")
    string(REPLACE "," ";" extra ${CMAKE_MATCH_1})
    list(APPEND labels ${extra})
  endif()
  if(line MATCHES " serial")
    set_property(TEST ${name} PROPERTY RUN_SERIAL ON)
  endif()
  # The longest first, so that none of them runs alone at the end.
  set_tests_properties(${name} PROPERTIES
    TIMEOUT ${timeout} COST ${timeout} SKIP_RETURN_CODE 77 LABELS "${labels}")
  set_property(TEST ${name} APPEND PROPERTY ENVIRONMENT
    CORAIL_BUILD=${PROJECT_BINARY_DIR} CORAIL_SOURCE=${PROJECT_SOURCE_DIR}
    ASAN_OPTIONS=detect_stack_use_after_return=0:allocator_may_return_null=1
    UBSAN_OPTIONS=print_stacktrace=1
    # At the end it waits for races of threads that are left, by default for a second.
    TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:atexit_sleep_ms=100)
endfunction()

function(corail_test_environment name)
  set_property(TEST ${name} APPEND PROPERTY ENVIRONMENT ${ARGN})
endfunction()

# Once each, on the backend that the program chooses.
foreach(folder unit sim http tls pg sqlite redis stress)
  string(TOUPPER ${folder} FOLDER)
  if(DEFINED CORAIL_WITH_${FOLDER} AND NOT CORAIL_WITH_${FOLDER})
    continue()
  endif()
  corail_test_sources(sources ${folder})
  foreach(source IN LISTS sources)
    get_filename_component(name ${source} NAME_WE)
    corail_test_program(${folder}_${name} ${source})
    # With a server that is started for it, and stopped again, where the folder has one.
    set(server ${PROJECT_SOURCE_DIR}/tests/${folder}/server.bash)
    if(EXISTS ${server})
      corail_test(${folder}.${name} ${source} ${folder}
        /bin/bash ${server} $<TARGET_FILE:${folder}_${name}>)
    else()
      corail_test(${folder}.${name} ${source} ${folder} ${folder}_${name})
    endif()
    if(folder STREQUAL sim)
      corail_test_environment(${folder}.${name} CORAIL_BACKEND=sim)
    endif()
  endforeach()
endforeach()

# Once per backend.
foreach(folder conformance torture)
  corail_test_sources(sources ${folder})
  foreach(source IN LISTS sources)
    get_filename_component(name ${source} NAME_WE)
    corail_test_program(${folder}_${name} ${source})
    foreach(backend IN LISTS backends)
      set(test ${folder}.${name}.${backend})
      corail_test(${test} ${source} "${folder};${backend}" ${folder}_${name})
      corail_test_environment(${test} CORAIL_BACKEND=${backend})
    endforeach()
  endforeach()
endforeach()

# Fuzz targets: a short run over known inputs, or with libFuzzer, which then is no test.
corail_test_sources(sources fuzz)
foreach(source IN LISTS sources)
  get_filename_component(name ${source} NAME_WE)
  corail_test_program(fuzz_${name} ${source})
  target_compile_definitions(fuzz_${name} PRIVATE CORAIL_FUZZ=$<BOOL:${CORAIL_FUZZ}>)
  if(CORAIL_FUZZ)
    target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    corail_test(fuzz.${name} ${source} fuzz fuzz_${name})
  endif()
endforeach()

# The unit tests again under Valgrind, and some that switch stacks: the library tells it of each.
find_program(VALGRIND valgrind)
set(valgrind_command ${VALGRIND} --quiet --error-exitcode=1 --leak-check=full --fair-sched=yes
  --show-leak-kinds=definite,indirect --errors-for-leak-kinds=definite,indirect)

# corail_valgrind(source target): the test valgrind.NAME.
function(corail_valgrind source target)
  get_filename_component(name ${source} NAME_WE)
  file(STRINGS ${source} excluded REGEX "ctest: .*novalgrind" LIMIT_COUNT 1)
  if(excluded)
    return()
  endif()
  corail_test(valgrind.${name} ${source} valgrind ${valgrind_command} $<TARGET_FILE:${target}>)
  set_tests_properties(valgrind.${name} PROPERTIES TIMEOUT 240 LABELS valgrind)
  corail_test_environment(valgrind.${name} ${ARGN})
endfunction()

if(VALGRIND AND NOT CORAIL_SANITIZE AND NOT CMAKE_CROSSCOMPILING)
  corail_test_sources(sources unit)
  foreach(source IN LISTS sources)
    get_filename_component(name ${source} NAME_WE)
    corail_valgrind(${source} unit_${name})
  endforeach()
  corail_glob(sources tests/conformance/scope_*.c tests/conformance/cancel_*.c
    tests/conformance/conn_read.c tests/conformance/event.c)
  foreach(source IN LISTS sources)
    get_filename_component(name ${source} NAME_WE)
    corail_valgrind(${source} conformance_${name} CORAIL_BACKEND=sim)
  endforeach()
endif()

# Scripts, with helper programs beside them; they test the command and the machine around it.
if(NOT CMAKE_CROSSCOMPILING)
  foreach(folder cli system debug compile)
    corail_glob(helpers tests/${folder}/*.c)
    if(CORAIL_WITH_HTTP AND NOT folder STREQUAL compile)
      foreach(source IN LISTS helpers)
        get_filename_component(name ${source} NAME_WE)
        corail_test_program(${folder}_${name} ${source})
        set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS -Wno-write-strings)
      endforeach()
    endif()
    corail_glob(scripts tests/${folder}/*.sh)
    foreach(source IN LISTS scripts)
      get_filename_component(name ${source} NAME_WE)
      corail_test(${folder}.${name} ${source} ${folder} /bin/bash ${source})
      corail_test_environment(${folder}.${name}
        CC=${CMAKE_C_COMPILER} CORAIL_GENERATOR=${CMAKE_GENERATOR})
    endforeach()
  endforeach()
endif()

# The rules of the house are a test like any other, and so is their own test.
if(NOT CORAIL_SANITIZE AND NOT CMAKE_CROSSCOMPILING)
  set(tidy ${PROJECT_SOURCE_DIR}/tools/tidy.py)
  corail_test(tidy.rules ${tidy} tidy /usr/bin/python3 ${tidy})
  corail_test(tidy.self-test ${tidy} tidy /usr/bin/python3 ${tidy} --self-test)
endif()
