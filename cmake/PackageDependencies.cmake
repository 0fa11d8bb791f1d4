# Read by cpack. dpkg-shlibdeps wants a debian/control to stand beside it.
if(NOT EXISTS ${CPACK_LINKED_PROGRAM})
	message(FATAL_ERROR "build the target sandbox-linked first: the package's dependencies are read from it")
endif()
set(folder ${CPACK_PACKAGE_DIRECTORY}/shlibdeps)
file(WRITE ${folder}/debian/control "Source: ${CPACK_PACKAGE_NAME}\n\nPackage: ${CPACK_PACKAGE_NAME}\nArchitecture: any\n")
execute_process(COMMAND dpkg-shlibdeps -O ${CPACK_LINKED_PROGRAM} WORKING_DIRECTORY ${folder} OUTPUT_VARIABLE dependencies
	OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
string(REPLACE "shlibs:Depends=" "" CPACK_DEBIAN_PACKAGE_DEPENDS "${dependencies}")
