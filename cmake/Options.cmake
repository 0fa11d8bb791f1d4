# sandbox::options carries the language standard, warnings, hardening and sanitizers; every target of ours links it.
include(Warnings)

add_library(sandbox_options INTERFACE)
add_library(sandbox::options ALIAS sandbox_options)
target_compile_features(sandbox_options INTERFACE c_std_17)
target_compile_definitions(sandbox_options INTERFACE _GNU_SOURCE SANDBOX_VERSION="${SANDBOX_VERSION}")
target_compile_options(sandbox_options INTERFACE ${SANDBOX_WARNINGS} -fvisibility=hidden -fno-common
	-ffile-prefix-map=${CMAKE_SOURCE_DIR}=. -include ${CMAKE_SOURCE_DIR}/sandbox/base/banned.h)
target_include_directories(sandbox_options INTERFACE ${CMAKE_SOURCE_DIR}/sandbox)
# A static program cannot load libraries. On a Mac the launcher is linked with what pkg-config finds, wherever that is: lazily it would look where Homebrew and
# MacPorts put things.
if(APPLE OR CMAKE_EXE_LINKER_FLAGS MATCHES "-static")
	set(SANDBOX_LAZY_DEFAULT OFF)
else()
	set(SANDBOX_LAZY_DEFAULT ON)
endif()
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

set(SANDBOX_SANITIZE "" CACHE STRING "comma-separated sanitizers, e.g. address,undefined")
if(SANDBOX_SANITIZE)
	target_compile_options(sandbox_options INTERFACE -fsanitize=${SANDBOX_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
	target_link_options(sandbox_options INTERFACE -fsanitize=${SANDBOX_SANITIZE})
else()
	target_compile_options(sandbox_options INTERFACE $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE> $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>
		-fstack-protector-strong)
	# Properties of ELF programs; macOS' have what they ask for.
	if(NOT APPLE)
		target_compile_options(sandbox_options INTERFACE -fstack-clash-protection)
		target_link_options(sandbox_options INTERFACE -pie LINKER:-z,relro LINKER:-z,now)
	endif()
endif()
option(SANDBOX_COVERAGE "instrument for gcov" OFF)
if(SANDBOX_COVERAGE)
	target_compile_options(sandbox_options INTERFACE --coverage)
	target_link_options(sandbox_options INTERFACE --coverage)
endif()

# A hundred test programs are linked, each with all Flyte messages: mold does that several times as fast as ld. What users get is linked by ld.
if(SANDBOX_TESTS)
	find_program(SANDBOX_MOLD mold)
	mark_as_advanced(SANDBOX_MOLD)
	include(CheckLinkerFlag)
	if(SANDBOX_MOLD)
		check_linker_flag(C -fuse-ld=mold SANDBOX_CAN_MOLD)
	endif()
	if(SANDBOX_CAN_MOLD)
		target_link_options(sandbox_options INTERFACE -fuse-ld=mold)
	endif()
endif()

# sandbox_library(NAME SOURCES a.c b.c LINKS sandbox::base PkgConfig::X): one layer, one static library, alias sandbox::NAME.
function(sandbox_library name)
	cmake_parse_arguments(PARSE_ARGV 1 LIB "" "" "SOURCES;LINKS")
	add_library(sandbox_${name} STATIC ${LIB_SOURCES})
	add_library(sandbox::${name} ALIAS sandbox_${name})
	target_link_libraries(sandbox_${name} PUBLIC sandbox::options ${LIB_LINKS})
endfunction()

# sandbox_lazy_library(NAME SOURCES lazy_x.c LIBRARY PkgConfig::X): sandbox::NAME is the shared library, or, for programs with the property
# SANDBOX_LAZY, functions that load it when they are called first (base/lazy.h).
option(SANDBOX_LAZY_LIBRARIES "the launcher loads large libraries when it needs them" ${SANDBOX_LAZY_DEFAULT})
function(sandbox_lazy_library name)
	cmake_parse_arguments(PARSE_ARGV 1 LIB "" "LIBRARY" "SOURCES")
	add_library(sandbox_lazy_${name} STATIC EXCLUDE_FROM_ALL ${LIB_SOURCES})
	target_link_libraries(sandbox_lazy_${name} PUBLIC sandbox::options sandbox::lazy)
	target_include_directories(sandbox_lazy_${name} PRIVATE $<TARGET_PROPERTY:${LIB_LIBRARY},INTERFACE_INCLUDE_DIRECTORIES>)
	add_library(sandbox_${name} INTERFACE)
	add_library(sandbox::${name} ALIAS sandbox_${name})
	target_link_libraries(sandbox_${name} INTERFACE $<IF:$<BOOL:$<TARGET_PROPERTY:SANDBOX_LAZY>>,sandbox_lazy_${name},${LIB_LIBRARY}>)
endfunction()

# sandbox_test(NAME SOURCES t.c LINKS sandbox::x [LABEL unit]): a cmocka program, one ctest entry.
function(sandbox_test name)
	cmake_parse_arguments(PARSE_ARGV 1 TEST "" "LABEL" "SOURCES;LINKS")
	if(NOT SANDBOX_TESTS)
		return()
	endif()
	if(NOT TEST_LABEL)
		set(TEST_LABEL unit)
	endif()
	add_executable(${name} ${TEST_SOURCES})
	target_link_libraries(${name} PRIVATE sandbox::options ${TEST_LINKS} PkgConfig::CMOCKA)
	target_compile_definitions(${name} PRIVATE TEST_DATA_DIR="${CMAKE_CURRENT_SOURCE_DIR}")
	add_test(NAME ${name} COMMAND ${name})
	set_tests_properties(${name} PROPERTIES LABELS ${TEST_LABEL} TIMEOUT 600
		ENVIRONMENT "ASAN_OPTIONS=detect_leaks=1:abort_on_error=0;UBSAN_OPTIONS=print_stacktrace=1")
endfunction()

# sandbox_fuzzer(NAME SOURCES f.c LINKS sandbox::x): a libFuzzer program (clang), corpus in <dir>/corpus/NAME. Without SANDBOX_FUZZERS
# the same source is linked with a small main that replays the corpus, so that every build runs it as a unit test.
function(sandbox_fuzzer name)
	cmake_parse_arguments(PARSE_ARGV 1 FUZZ "" "" "SOURCES;LINKS")
	set(corpus ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
	if(SANDBOX_FUZZERS)
		add_executable(${name} ${FUZZ_SOURCES})
		target_link_options(${name} PRIVATE -fsanitize=fuzzer)
	elseif(SANDBOX_TESTS)
		add_executable(${name} ${FUZZ_SOURCES} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay.c)
		add_test(NAME ${name} COMMAND ${name} ${corpus})
		set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 600)
	else()
		return()
	endif()
	target_link_libraries(${name} PRIVATE sandbox::options ${FUZZ_LINKS})
endfunction()
