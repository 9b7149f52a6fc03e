/* What descriptors say of their parts; see type.h. */
#include "format/btree.h"

void type_kinds_each(const struct meta_type *type,
		     void (*fn)(void *arg, const struct part_kind *kind), void *arg)
{
	const struct part_kind whole = {"hdr", type->layout};

	if (type->kinds)
		for (const struct part_kind *kind = type->kinds; kind->name; kind++)
			fn(arg, kind);
	else if (type->btree)
		btree_kinds_each(type->btree, fn, arg);
	else if (type->layout)
		fn(arg, &whole);
}
