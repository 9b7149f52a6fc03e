/* Printing objects for people: fields with their names, packed records in rows, findings. */
#ifndef MENDFS_CLI_PRINT_H
#define MENDFS_CLI_PRINT_H

#include "cli/object.h"

#include <stdio.h>

#define VALUE_TEXT 1200

/* One element of a field of the structure `layout` at base, with what it means where the kind
 * says: (1:12) for a block, a date for a time. Arrays of bytes are one value. */
void value_print(const struct geometry *g, const struct layout *layout, const struct field *field,
		 const u8 *base, u32 element, char text[VALUE_TEXT]);
/* One line a field, arrays with all their elements: `[3-63] null`. */
void fields_print(FILE *out, const struct geometry *g, const struct layout *layout, const u8 *base,
		  int indent);
/* Header, fields, rows; only the selected part if there is one. -ENOMEM, or -ENOENT when there is
 * no such part. */
int object_print(FILE *out, const struct object *object);
/* Runs verify() and prints each finding; returns the worst. */
enum severity object_verify_print(FILE *out, const struct object *object);

#endif
