# cmake -DINPUT=file -DOUTPUT=file.c -DNAME=symbol -P Embed.cmake: the file's bytes as `const unsigned char symbol[]` and `const size_t
# symbol_size`. An assembler directive does it in no time, whatever the size.
file(SIZE ${INPUT} size)
file(WRITE ${OUTPUT} "#include <stddef.h>
extern const unsigned char ${NAME}[];
extern const size_t ${NAME}_size;
const size_t ${NAME}_size = ${size};
__asm__(\".section .rodata\\n.global ${NAME}\\n.type ${NAME}, @object\\n.balign 16\\n${NAME}:\\n.incbin \\\"${INPUT}\\\"\\n.byte 0\\n.size ${NAME}, ${size}\\n.previous\\n\");
")
