/*
 * Names for inodes; see paths.h.
 *
 * Invariants: ino[] is sorted without repeats; path[i] belongs to ino[i] or is NULL; a walk never
 * enters a directory that it is in already, nor looks at more than its budget of names. A path that
 * does not fit into the memory is left out, and the shorter ones after it may still be taken.
 */
#include "scrub/paths.h"

#include "base/order.h"
#include "base/trail.h"
#include "format/attr.h"
#include "format/dir.h"
#include "fs/attr.h"
#include "fs/dir.h"
#include "fs/inode.h"

#include <errno.h>
#include <stdio.h>

#define DEPTH_MAX 512
#define TEXT_MAX 4096
/* Names looked at: some times what the filesystem says that it has. */
#define BUDGET_FACTOR 4
#define BUDGET_MIN 100000
#define MODE_FORMAT 0170000u
#define MODE_DIR 0040000u

struct paths {
	struct env *env;
	u32 count, done; /* done: found, or left out */
	u32 left;
	size_t memory; /* what may still be spent on paths */
	u64 *ino;
	char **path;
};

static char left_out[1]; /* the path of an inode that has been found, but did not fit */

/* -1: not looked for. */
static s64 find(const struct paths *p, u64 ino)
{
	const u64 *at = bsearch(&ino, p->ino, p->count, sizeof(ino), order_u64);

	return at ? at - p->ino : -1;
}

const char *paths_get(const struct paths *p, u64 ino)
{
	s64 i = p ? find(p, ino) : -1;

	return i < 0 || p->path[i] == left_out ? NULL : p->path[i];
}

void paths_free(struct paths *p)
{
	if (!p)
		return;
	for (u32 i = 0; p->path && i < p->count; i++)
		if (p->path[i] != left_out)
			env_free(p->env, p->path[i]);
	env_free(p->env, p->path);
	env_free(p->env, p->ino);
	env_free(p->env, p);
}

u32 paths_left(const struct paths *p)
{
	return p ? p->left : 0;
}

#define ALLOCATION 16 /* what one takes beside its bytes */

static int keep(struct paths *p, u64 ino, const char *text)
{
	s64 i = find(p, ino);
	size_t size = strlen(text) + 1;

	if (i < 0 || p->path[i])
		return 0;
	if (size + ALLOCATION > p->memory) {
		p->path[i] = left_out;
		p->left++;
		p->done++;
		return 0;
	}
	p->memory -= size + ALLOCATION;
	p->path[i] = env_alloc(p->env, size);
	if (!p->path[i])
		return fail(-ENOMEM, "names for a report: out of memory");
	memcpy(p->path[i], text, size);
	p->done++;
	return 0;
}

/* Appends /NAME at text[at]; returns the new length, or 0 when it does not fit. */
static u32 append(char text[TEXT_MAX], u32 at, const char *name, u32 length)
{
	text[at++] = '/';
	for (u32 i = 0; i < length; i++) {
		u8 c = (u8)name[i];

		if (at + 6 >= TEXT_MAX)
			return 0;
		if (c < ' ' || c == 0x7f || c == '/')
			at += (u32)snprintf(text + at, 5, "\\x%02x", c);
		else
			text[at++] = (char)c;
	}
	text[at] = 0;
	return at;
}

/* --- by parent pointers: from the inode up --- */

struct parent {
	u64 ino;
	u32 length;
	char name[ATTR_NAME_MAX];
};

static int first_parent(void *arg, const struct attr *attr)
{
	struct parent *parent = arg;
	struct attr_parent value;

	if (!(attr->flags & ATTR_PARENT) || !attr->value || attr->value_length != sizeof(value) ||
	    attr->name_length > sizeof(parent->name))
		return 0;
	memcpy(&value, attr->value, sizeof(value));
	parent->ino = be64_get(value.ino);
	parent->length = attr->name_length;
	memcpy(parent->name, attr->name, attr->name_length);
	return 1;
}

/* True with the first parent pointer of ino. */
static bool parent_of(struct vol *vol, u64 ino, struct parent *parent)
{
	struct inode inode;
	bool got;

	if (inode_get(vol, inum_of(ino), &inode))
		return false;
	got = attr_each(vol, &inode, first_parent, parent) == 1;
	inode_put(vol, &inode);
	return got;
}

/* The path is put together from its end; false when it does not reach the root. */
static bool climb(struct vol *vol, u64 ino, char text[TEXT_MAX])
{
	char piece[TEXT_MAX];
	struct parent parent;
	u32 start = TEXT_MAX - 1;

	text[start] = 0;
	for (u32 depth = 0; ino != vol->geo.root_ino; depth++) {
		u32 length;

		if (depth == DEPTH_MAX || !parent_of(vol, ino, &parent))
			return false;
		length = append(piece, 0, parent.name, parent.length);
		if (!length || length > start)
			return false;
		start -= length;
		memcpy(text + start, piece, length);
		ino = parent.ino;
	}
	memmove(text, text + start, TEXT_MAX - start);
	if (!text[0])
		memcpy(text, "/", 2);
	return true;
}

static int find_by_parents(struct paths *p, struct vol *vol)
{
	char text[TEXT_MAX];
	int err = 0;

	for (u32 i = 0; !err && i < p->count; i++)
		if (climb(vol, p->ino[i], text))
			err = keep(p, p->ino[i], text);
	return err;
}

/* --- by directories: from the root down --- */

struct level {
	u64 ino, cookie;
	u32 length; /* of the text up to this directory */
};

struct walk {
	struct paths *paths;
	struct vol *vol;
	struct level *level; /* DEPTH_MAX of them */
	u32 depth;
	u64 budget;
	char text[TEXT_MAX];
	u64 into; /* the subdirectory to enter next; 0: none */
	u32 into_length;
	int err;
};

static bool on_the_way(const struct walk *w, u64 ino)
{
	for (u32 i = 0; i < w->depth; i++)
		if (w->level[i].ino == ino)
			return true;
	return false;
}

static bool is_directory(const struct walk *w, const struct dir_entry *entry)
{
	struct inode inode;
	bool yes;

	if (entry->type != DIR_FT_UNKNOWN)
		return entry->type == DIR_FT_DIR;
	if (inode_get(w->vol, entry->ino, &inode))
		return false;
	yes = (inode.mode & MODE_FORMAT) == MODE_DIR;
	inode_put(w->vol, &inode);
	return yes;
}

/* Stops at a subdirectory, and when there is nothing left to do. */
static int see_entry(void *arg, const struct dir_entry *entry)
{
	struct walk *w = arg;
	struct level *level = &w->level[w->depth - 1];
	u32 length;

	level->cookie = entry->next;
	if (!w->budget || w->paths->done == w->paths->count)
		return 1;
	w->budget--;
	if (entry->name[0] == '.' &&
	    (entry->length == 1 || (entry->length == 2 && entry->name[1] == '.')))
		return 0;
	length = append(w->text, level->length, entry->name, entry->length);
	if (!length)
		return 0;
	w->err = keep(w->paths, entry->ino.v, w->text);
	if (w->err)
		return 1;
	if (w->depth == DEPTH_MAX || !is_directory(w, entry) || on_the_way(w, entry->ino.v))
		return 0;
	w->into = entry->ino.v;
	w->into_length = length;
	return 1;
}

/* One directory, from where it was left, up to its next subdirectory. Damage ends it. */
static void walk_on(struct walk *w)
{
	struct level *level = &w->level[w->depth - 1];
	struct inode dir;
	int stopped = 0;

	w->into = 0;
	if (!inode_get(w->vol, inum_of(level->ino), &dir)) {
		if ((dir.mode & MODE_FORMAT) == MODE_DIR)
			stopped = dir_each(w->vol, &dir, level->cookie, see_entry, w);
		inode_put(w->vol, &dir);
	}
	if (stopped != 1) {
		w->depth--;
	} else if (w->into) {
		w->level[w->depth++] = (struct level){w->into, 0, w->into_length};
	} else {
		w->depth = 0;
	}
}

static int find_by_walk(struct paths *p, struct vol *vol)
{
	struct walk *w = env_alloc(p->env, sizeof(*w));
	int err;

	if (w)
		w->level = env_array(p->env, DEPTH_MAX, sizeof(*w->level));
	if (!w || !w->level) {
		env_free(p->env, w);
		return fail(-ENOMEM, "names for a report: out of memory");
	}
	w->paths = p;
	w->vol = vol;
	w->budget = min_u64(vol->geo.icount, NULL64 / BUDGET_FACTOR) * BUDGET_FACTOR + BUDGET_MIN;
	w->level[w->depth++] = (struct level){vol->geo.root_ino, 0, 0};
	w->err = keep(p, vol->geo.root_ino, "/");
	while (w->depth && !w->err && p->done < p->count)
		walk_on(w);
	err = w->err;
	env_free(p->env, w->level);
	env_free(p->env, w);
	return err;
}

static int find_all(struct paths *p, struct vol *vol, const u64 *inos, u32 count)
{
	int err = 0;

	p->ino = env_array(p->env, count ? count : 1, sizeof(*p->ino));
	if (!p->ino)
		return fail(-ENOMEM, "names for a report: out of memory");
	memcpy(p->ino, inos, count * sizeof(*inos));
	p->count = order_unique(p->ino, count);
	p->path = env_array(p->env, p->count ? p->count : 1, sizeof(*p->path));
	if (!p->path)
		return fail(-ENOMEM, "names for a report: out of memory");
	if (geometry_has(&vol->geo, FEATURE_PARENT))
		err = find_by_parents(p, vol);
	if (!err && p->done < p->count)
		err = find_by_walk(p, vol);
	return err;
}

int paths_find(struct vol *vol, const u64 *inos, u32 count, size_t memory, struct paths **out)
{
	struct paths *p = env_alloc(vol->env, sizeof(*p));
	int err;

	*out = NULL;
	if (!p)
		return fail(-ENOMEM, "names for a report: out of memory");
	p->env = vol->env;
	p->memory = memory;
	err = find_all(p, vol, inos, count);
	if (err) {
		paths_free(p);
		return err;
	}
	*out = p;
	return 0;
}
