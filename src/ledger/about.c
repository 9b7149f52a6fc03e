/* What a finding is about; see about.h. Pure functions on findings and tables. */
#include "ledger/about.h"

#include "ledger/sweep.h"

const struct meta_type *about_type_named(const struct meta_types *types, const char *name)
{
	size_t length = name ? strcspn(name, ".") : 0;

	for (u32 i = 0; name && i < META_COUNT; i++)
		if (strlen(types->type[i]->name) == length &&
		    !memcmp(types->type[i]->name, name, length))
			return types->type[i];
	return NULL;
}

enum account about_account(const struct finding *f)
{
	enum account a = 0;

	while (a < ACCOUNT_COUNT &&
	       (!f->where.type || strcmp(f->where.type, account_defs[a].name) != 0))
		a++;
	return a;
}

const struct meta_type *about_type(const struct meta_types *types, const struct finding *f)
{
	enum account account = about_account(f);
	const struct meta_type *type = NULL;

	if (f->def == sweep_defs->loop)
		return types->type[META_NAMES];
	/* "agf.freeblks" tells whose counter it is */
	if (account == ACCOUNT_COUNTERS)
		type = about_type_named(types, f->found);
	if (!type && account < ACCOUNT_COUNT)
		type = types->type[account_defs[account].rebuilt];
	if (!type)
		type = about_type_named(types, f->where.type);
	return type ? type : about_type_named(types, f->def->type);
}

/* Links, parents and the like are of the inode that is the first word. */
static bool names_inode(const struct account_def *account)
{
	return !strcmp(account->word[0], "ino");
}

bool about_concerns(const struct meta_types *types, const struct meta_type *type,
		    const struct finding *f)
{
	enum account account = about_account(f);

	if (about_type(types, f) == type || about_type_named(types, f->where.type) == type ||
	    about_type_named(types, f->def->type) == type)
		return true;
	if (account == ACCOUNT_COUNT)
		return false;
	/* such tell of the account alone, and may hide one of any that it speaks of */
	if ((f->def == ledger_more || f->def == ledger_unexplained) &&
	    account_defs[account].items & type->items)
		return true;
	return type->id == META_INODE && names_inode(&account_defs[account]);
}
