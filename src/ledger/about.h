/*
 * What a finding is about: which account, which metadata type, and so who wants to hear of it.
 *
 * Findings of an account have its name for a type; what they are about comes from the table of
 * accounts.
 */
#ifndef MENDFS_LEDGER_ABOUT_H
#define MENDFS_LEDGER_ABOUT_H

#include "format/type.h"
#include "ledger/ledger.h"

/* The type of that name, up to a dot; NULL: none. */
const struct meta_type *about_type_named(const struct meta_types *types, const char *name);
/* The account; ACCOUNT_COUNT: none. */
enum account about_account(const struct finding *f);
/* The type that it asks to be rebuilt; NULL: nothing that could be. */
const struct meta_type *about_type(const struct meta_types *types, const struct finding *f);
/* Does it say anything of this type: its block, a side of an account that is made of it, or an
 * inode that an account names? */
bool about_concerns(const struct meta_types *types, const struct meta_type *type,
		    const struct finding *f);

#endif
