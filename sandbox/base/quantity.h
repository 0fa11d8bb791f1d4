/* Kubernetes quantities: amounts of CPU, memory and their like, as resource.Quantity of k8s.io/apimachinery reads and prints them. Pure. */
#ifndef SANDBOX_BASE_QUANTITY_H
#define SANDBOX_BASE_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

enum quantity_format { QUANTITY_DECIMAL, QUANTITY_DECIMAL_EXPONENT, QUANTITY_BINARY };

/* A number with three decimal digits' steps down to nano. */
struct quantity {
	__int128 nano; /* the value times 10^9 */
	enum quantity_format format;
};

/* "100m", "1Gi", "1.5", "2e3"; finer than nano is rounded away from zero, larger than 2^63-1 is capped, as Kubernetes
 * does. */
bool quantity_parse(const char *text, struct quantity *ret_quantity);
/* <0, 0, >0 */
int quantity_compare(const struct quantity *a, const struct quantity *b);
#define QUANTITY_TEXT_SIZE 64
/* Kubernetes' canonical form: "1500m", "1536Mi". */
void quantity_print(const struct quantity *quantity, char text[QUANTITY_TEXT_SIZE]);

#endif
