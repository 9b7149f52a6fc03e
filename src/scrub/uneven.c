/* Inodes that the books are uneven about; see uneven.h. */
#include "scrub/uneven.h"

#include "base/order.h"
#include "ledger/about.h"
#include "ledger/sweep.h"
#include "scrub/survey.h"

void uneven_begin(struct uneven *u, struct env *env)
{
	u->env = env;
	u->names.count = u->owners.count = 0;
	u->names.more = u->owners.more = u->circles = false;
}

void uneven_free(struct uneven *u)
{
	if (!u->env)
		return;
	env_free(u->env, u->names.ino);
	env_free(u->env, u->owners.ino);
}

static void add(struct uneven *u, struct uneven_list *list, u64 ino)
{
	u32 room = list->room ? list->room * 2 : 256;
	u64 *grown;

	if (list->count == SURVEY_INODES) {
		list->more = true;
		return;
	}
	if (list->count == list->room) {
		grown = env_grow(u->env, list->ino, list->count, room, sizeof(*grown));
		if (!grown) {
			list->more = true; /* no error: all that is known is too little */
			return;
		}
		list->ino = grown;
		list->room = room;
	}
	list->ino[list->count++] = ino;
}

void uneven_note(struct uneven *u, const struct meta_types *types, const struct finding *f)
{
	bool unnamed = f->def == ledger_more || f->def == ledger_unexplained;
	const struct meta_type *type = about_type(types, f);

	if (f->def == sweep_defs->loop) {
		u->circles = true;
	} else if (about_account(f) == ACCOUNT_OWNERS) {
		/* metadata of the filesystem has no inode */
		if (unnamed)
			u->owners.more = true;
		else if (f->where.ino != NO_INO)
			add(u, &u->owners, f->where.ino);
	} else if (type && type->id == META_NAMES) {
		if (unnamed || f->where.ino == NO_INO)
			u->names.more = true;
		else
			add(u, &u->names, f->where.ino);
	}
}

void uneven_sort(struct uneven *u)
{
	struct uneven_list *const list[] = {&u->names, &u->owners};

	for (u32 i = 0; i < ARRAY_COUNT(list); i++)
		if (list[i]->count)
			qsort(list[i]->ino, list[i]->count, sizeof(u64), order_u64);
}
