# The warnings that our own code is clean of, with GCC and Clang. Generated code does not get them.
set(SANDBOX_WARNINGS -Wall -Wextra -Wshadow -Wconversion -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla
	-Wcast-qual -Wdouble-promotion -Wimplicit-fallthrough -Wpointer-arith -Wwrite-strings -Wno-sign-conversion)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
	list(APPEND SANDBOX_WARNINGS -Wduplicated-cond -Wduplicated-branches -Wlogical-op -Wno-missing-field-initializers)
else()
	list(APPEND SANDBOX_WARNINGS -Wno-missing-field-initializers)
endif()
option(SANDBOX_WERROR "warnings are errors" OFF)
if(SANDBOX_WERROR)
	list(APPEND SANDBOX_WARNINGS -Werror)
endif()
