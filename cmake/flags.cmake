# SPDX-License-Identifier: MIT
# Compiler and linker flags, as two interface targets: corail_flags for everything that is ours,
# corail_library_flags for what goes into a library.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release or Debug" FORCE)
endif()

# Assertions stay in production, so no -DNDEBUG; -g costs nothing at run time.
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_DEBUG "-O0 -g3")
if(CORAIL_SANITIZE)
  # Half of the time to compile, and enough for reports with functions and lines.
  set(CMAKE_C_FLAGS_RELEASE "-O1 -g1")
endif()
set(CMAKE_ASM_FLAGS_RELEASE "-g")
set(CMAKE_ASM_FLAGS_DEBUG "-g")

find_package(Threads REQUIRED)

add_library(corail_flags INTERFACE)
target_compile_options(corail_flags INTERFACE
  $<$<COMPILE_LANGUAGE:C>:-Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes
    -Wold-style-definition -Wpointer-arith -Wwrite-strings -Wundef -Wvla -Wformat=2
    -Wimplicit-fallthrough -Wredundant-decls -Wnested-externs>)
# Messages name files as src/task/run.c, wherever the tree was built. Only __FILE__: debuggers find
# the sources by the paths that the debug information keeps.
target_compile_options(corail_flags INTERFACE
  $<$<COMPILE_LANGUAGE:C,CXX>:-fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=>)
# Defined empty, so that a source may also say `#define _GNU_SOURCE`.
target_compile_definitions(corail_flags INTERFACE $<$<COMPILE_LANGUAGE:C>:_GNU_SOURCE=>)
target_link_options(corail_flags INTERFACE -Wl,--as-needed -Wl,-z,relro,-z,now)
target_link_libraries(corail_flags INTERFACE Threads::Threads)
if(CORAIL_WERROR)
  target_compile_options(corail_flags INTERFACE $<$<COMPILE_LANGUAGE:C>:-Werror>)
endif()
if(CORAIL_SANITIZE)
  target_compile_options(corail_flags INTERFACE
    -fsanitize=${CORAIL_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  # GCC's own warning: instrumented code gives false ones that need the optimizer's view.
  target_compile_options(corail_flags INTERFACE
    $<$<AND:$<COMPILE_LANGUAGE:C>,$<C_COMPILER_ID:GNU>>:-Wno-format-truncation
      -Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-stringop-overread -Wno-array-bounds>)
  if(CORAIL_SANITIZE STREQUAL "thread")
    # TSan does not know fences. What they order is atomic by itself, so nothing is hidden by it.
    target_compile_options(corail_flags INTERFACE
      $<$<AND:$<COMPILE_LANGUAGE:C>,$<C_COMPILER_ID:GNU>>:-Wno-tsan>)
  endif()
  target_link_options(corail_flags INTERFACE -fsanitize=${CORAIL_SANITIZE})
endif()
if(CORAIL_COVERAGE)
  target_compile_options(corail_flags INTERFACE --coverage -fprofile-update=atomic)
  target_link_options(corail_flags INTERFACE --coverage)
endif()

# One set of position-independent objects serves both the static and the shared library. Hidden by
# default, so that calls inside the library are direct; thread-locals by initial-exec, because a
# call to __tls_get_addr in the path of every switch costs more than the switch.
add_library(corail_library_flags INTERFACE)
target_compile_options(corail_library_flags INTERFACE
  -fvisibility=hidden -ftls-model=initial-exec -fno-plt -fno-semantic-interposition)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  # Intel's processors from Skylake to Cascade Lake decode a jump that touches a 32-byte boundary
  # slowly each time ("Mitigations for Jump Conditional Code Erratum", 2019): some 5 % of a yield.
  target_compile_options(corail_library_flags INTERFACE
    $<$<C_COMPILER_ID:GNU>:-Wa,-mbranches-within-32B-boundaries>
    $<$<C_COMPILER_ID:Clang>:-mbranches-within-32B-boundaries>)
endif()
target_link_libraries(corail_library_flags INTERFACE corail_flags)
