# A toolchain for another architecture on Debian: its cross compiler, and that architecture's libraries beside this one's (dpkg --add-architecture).
#   cmake --preset container -DCMAKE_TOOLCHAIN_FILE=cmake/Cross.cmake -DSANDBOX_TRIPLET=aarch64-linux-gnu
set(CMAKE_SYSTEM_NAME Linux)
string(REGEX MATCH "^[^-]+" CMAKE_SYSTEM_PROCESSOR "${SANDBOX_TRIPLET}")
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES SANDBOX_TRIPLET)
set(CMAKE_C_COMPILER ${SANDBOX_TRIPLET}-gcc)
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/${SANDBOX_TRIPLET}/pkgconfig:/usr/share/pkgconfig)
