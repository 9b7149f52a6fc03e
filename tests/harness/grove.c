/* The model of a tree, its mount, and what they are held against; see grove.h. */
#include "grove.h"

#include "base/trail.h"
#include "fs/attr.h"
#include "fs/dir.h"
#include "fs/file_data.h"
#include "fs/symlink.h"
#include "format/attr.h"
#include "format/dir.h"
#include "ledger/sweep.h"
#include "meta/types_table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static u64 first_seed;

void grove_broken(struct grove *g, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "seed %llu, operation %u, %s: ", (unsigned long long)first_seed,
		g->operation, g->doing ? g->doing : "?");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	exit(1);
}

void grove_must(struct grove *g, int err)
{
	if (err)
		grove_broken(g, "%d: %s", err, trail_text());
}

u32 grove_draw(struct grove *g, u32 below)
{
	g->seed ^= g->seed << 13;
	g->seed ^= g->seed >> 7;
	g->seed ^= g->seed << 17;
	return (u32)((g->seed >> 20) % below);
}

int grove_judge(struct grove *g, int err, int expected)
{
	if (err != expected && err && g->may_fail && g->may_fail(g, err)) {
		g->failed++;
		return err;
	}
	if (err != expected)
		grove_broken(g, "%d: %s; expected %d", err, err ? trail_text() : "", expected);
	return err;
}

/* ---- the model ---- */

static u32 chain_of(const struct grove_node *dir, const char *name)
{
	u32 hash = (u32)dir->ino.v * 0x9e3779b9u;

	while (*name)
		hash = (hash ^ (u8)*name++) * 0x01000193u;
	return (hash ^ hash >> 15) % GROVE_CHAINS;
}

struct grove_name *grove_find(struct grove *g, const struct grove_node *dir, const char *name)
{
	struct grove_name *n = g->chain[chain_of(dir, name)];

	while (n && (n->dir != dir || strcmp(n->text, name)))
		n = n->chain;
	return n;
}

struct grove_name *grove_name_add(struct grove *g, struct grove_node *dir, const char *name,
				  struct grove_node *node)
{
	struct grove_name *n = calloc(1, sizeof(*n)), **chain = &g->chain[chain_of(dir, name)];

	if (g->names == GROVE_NAMES)
		grove_broken(g, "too many names");
	*n = (struct grove_name){.dir = dir, .node = node, .chain = *chain, .index = g->names};
	snprintf(n->text, sizeof(n->text), "%s", name);
	*chain = n;
	g->name[g->names++] = n;
	dir->names++;
	return n;
}

void grove_name_drop(struct grove *g, struct grove_name *name)
{
	struct grove_name **chain = &g->chain[chain_of(name->dir, name->text)];

	while (*chain != name)
		chain = &(*chain)->chain;
	*chain = name->chain;
	g->name[name->index] = g->name[--g->names];
	g->name[name->index]->index = name->index;
	name->dir->names--;
	free(name);
}

struct grove_node *grove_node_add(struct grove *g, struct inum ino, u16 mode)
{
	struct grove_node *n = calloc(1, sizeof(*n));

	if (g->nodes == GROVE_NODES)
		grove_broken(g, "too many files");
	n->ino = ino;
	n->mode = mode;
	n->index = g->nodes;
	g->node[g->nodes++] = n;
	return n;
}

static void node_free(struct grove_node *n)
{
	while (n->attrs) {
		struct grove_attr *a = n->attrs;

		n->attrs = a->next;
		free(a->value);
		free(a);
	}
	free(n->bytes);
	free(n->target);
	free(n);
}

void grove_node_drop(struct grove *g, struct grove_node *n)
{
	g->node[n->index] = g->node[--g->nodes];
	g->node[n->index]->index = n->index;
	node_free(n);
}

struct grove_node *grove_root(struct grove *g)
{
	return g->node[0];
}

void grove_room(struct grove_node *n, u64 size)
{
	u64 room = n->room ? n->room : 4096;

	if (n->room && size <= n->room)
		return;
	while (room < size)
		room *= 2;
	n->bytes = realloc(n->bytes, room);
	memset(n->bytes + n->room, 0, room - n->room);
	n->room = room;
}

/* ---- comparing ---- */

struct listing {
	struct grove *g;
	struct grove_node *dir;
	u32 names;
};

static int compare_name(void *arg, const struct dir_entry *e)
{
	struct listing *l = arg;
	const struct grove_name *n;
	char text[256];

	if (dir_name_is_dots((const u8 *)e->name, e->length))
		return 0;
	memcpy(text, e->name, e->length);
	text[e->length] = 0;
	n = grove_find(l->g, l->dir, text);
	if (!n)
		grove_broken(l->g, "directory %llu has %s, which is not there",
			     (unsigned long long)l->dir->ino.v, text);
	if (n->node->ino.v != e->ino.v)
		grove_broken(l->g, "directory %llu: %s is %llu, not %llu",
			     (unsigned long long)l->dir->ino.v, text, (unsigned long long)e->ino.v,
			     (unsigned long long)n->node->ino.v);
	l->names++;
	return 0;
}

static void compare_dir(struct grove *g, struct grove_node *n, const struct inode *inode)
{
	struct listing l = {.g = g, .dir = n};
	struct inum up;
	u8 type;

	grove_must(g, dir_each(g->vol, inode, 0, compare_name, &l));
	if (l.names != n->names)
		grove_broken(g, "directory %llu has %u names, not %u", (unsigned long long)n->ino.v,
			     l.names, n->names);
	grove_must(g, dir_lookup(g->vol, inode, "..", 2, &up, &type));
	if (up.v != (n->up ? n->up : n)->ino.v)
		grove_broken(g, "directory %llu: .. is %llu", (unsigned long long)n->ino.v,
			     (unsigned long long)up.v);
}

static void compare_file(struct grove *g, const struct grove_node *n, const struct inode *inode)
{
	u8 *found = malloc(n->size + 1);

	if (n->size)
		grove_must(g, file_read(g->vol, inode, 0, n->size, found));
	for (u64 i = 0; i < n->size; i++)
		if (found[i] != n->bytes[i])
			grove_broken(g, "file %llu differs at %llu of %llu: %02x, not %02x",
				     (unsigned long long)n->ino.v, (unsigned long long)i,
				     (unsigned long long)n->size, found[i], n->bytes[i]);
	free(found);
}

static int count_attr(void *arg, const struct attr *attr)
{
	*(u32 *)arg += !(attr->flags & ATTR_PARENT);
	return 0;
}

static void compare_attrs(struct grove *g, const struct grove_node *n, const struct inode *inode)
{
	u8 *value = malloc(65536);
	u32 found = 0, count = 0;

	if (inode->forkoff)
		grove_must(g, attr_each(g->vol, inode, count_attr, &found));
	for (const struct grove_attr *a = n->attrs; a; a = a->next) {
		s64 length =
		    attr_get(g->vol, inode, a->flags, a->name, (u32)strlen(a->name), value, 65536);

		count++;
		if (length != a->length || memcmp(value, a->value, a->length))
			grove_broken(g, "inode %llu: attribute %s: %lld, not %u bytes: %s",
				     (unsigned long long)n->ino.v, a->name, (long long)length,
				     a->length, length < 0 ? trail_text() : "");
	}
	if (count != found)
		grove_broken(g, "inode %llu has %u attributes, not %u",
			     (unsigned long long)n->ino.v, found, count);
	free(value);
}

void grove_compare_node(struct grove *g, const struct grove_node *n)
{
	char target[SYMLINK_MAX + 1];
	struct inode inode;

	grove_must(g, inode_get(g->vol, n->ino, &inode));
	if (inode.mode != n->mode || inode.nlink != n->links || inode.uid != n->uid ||
	    (S_ISREG(n->mode) && inode.size != n->size))
		grove_broken(
		    g, "inode %llu: mode %o, %u links, uid %u, size %llu, not %o, %u, %u, %llu",
		    (unsigned long long)n->ino.v, inode.mode, inode.nlink, inode.uid,
		    (unsigned long long)inode.size, n->mode, n->links, n->uid,
		    (unsigned long long)n->size);
	if (S_ISDIR(n->mode))
		compare_dir(g, (struct grove_node *)(uintptr_t)n, &inode);
	if (S_ISREG(n->mode))
		compare_file(g, n, &inode);
	if (S_ISLNK(n->mode)) {
		grove_must(g, symlink_read(g->vol, &inode, target) < 0 ? -EUCLEAN : 0);
		if (strcmp(target, n->target))
			grove_broken(g, "symlink %llu: another target",
				     (unsigned long long)n->ino.v);
	}
	compare_attrs(g, n, &inode);
	inode_put(g->vol, &inode);
}

void grove_compare(struct grove *g)
{
	for (u32 i = 0; i < g->nodes; i++)
		grove_compare_node(g, g->node[i]);
}

static void balanced(struct grove *g)
{
	char ids[1024];

	if (g->world.worst <= SEVERITY_WARNING)
		return;
	world_ids(&g->world, ids, sizeof(ids));
	grove_broken(g, "%llu findings: %s", (unsigned long long)g->world.findings, ids);
}

void grove_check(struct grove *g)
{
	const struct vol_options how = {.memory = 1u << 20};
	struct sweep_stats stats;
	struct vol *snapshot;

	g->world.print = true;
	grove_must(g, vol_snapshot(g->vol, g->vol->env, &how, &snapshot));
	grove_must(g, sweep_run(snapshot, NULL, &stats));
	grove_must(g, vol_close(snapshot));
	balanced(g);
	g->world.print = false;
}

/* ---- mounting ---- */

int grove_mount(struct grove *g)
{
	const struct vol_options options = {
	    .data = &g->disk.dev, .write = true, .memory = g->memory};
	int err = vol_open(&g->world.env, &meta_types, &options, &g->vol);

	if (!err)
		err = changer_open(g->vol, &g->changer);
	if (!err)
		err = changer_recover(g->changer);
	if (err && g->vol) {
		changer_close(g->changer);
		vol_close(g->vol);
	}
	if (err) {
		g->vol = NULL;
		g->changer = NULL;
	}
	return err;
}

static void let_go(struct grove *g)
{
	if (g->world.live)
		grove_broken(g, "%llu allocations are left", (unsigned long long)g->world.live);
}

void grove_unmount(struct grove *g)
{
	int err;

	g->gones = 0; /* the changer knows them, too */
	changer_close(g->changer);
	err = vol_close(g->vol);
	g->changer = NULL;
	g->vol = NULL;
	let_go(g);
	grove_judge(g, err, 0);
}

void grove_check_wreck(struct grove *g)
{
	struct image image;
	const struct world_images images = {.data = &image};

	image_over(&g->world, g->disk.bytes, g->disk.dev.size, &image);
	g->world.print = true;
	grove_must(g, world_check(&g->world, &images, NULL, NULL));
	balanced(g);
	g->world.print = false;
}

void grove_check_disk(struct grove *g)
{
	grove_check_wreck(g);
	let_go(g);
}

static void start(struct grove *g)
{
	struct grove_node *root = grove_node_add(g, inum_of(g->vol->geo.root_ino), 0);
	struct inode inode;

	grove_must(g, inode_get(g->vol, root->ino, &inode));
	root->mode = inode.mode;
	root->links = inode.nlink;
	root->uid = inode.uid;
	inode_put(g->vol, &inode);
}

void grove_make(struct grove *g, const char *path, u64 size, const struct mkfs_options *options,
		u64 seed)
{
	const struct mkfs_target target = {.data_size = size};
	struct geometry geo;

	memset(g, 0, sizeof(*g));
	first_seed = seed;
	g->seed = seed * 0x9e3779b97f4a7c15ull + 88172645463325252u;
	g->doing = "mkfs";
	world_init(&g->world);
	disk_open(&g->disk, path, size);
	grove_must(g, mkfs_plan(&g->world.env, options, &target, &geo));
	grove_must(g, mkfs_build(&g->world.env, &meta_types, options, &geo,
				 &(struct mkfs_devices){.data = &g->disk.dev}));
	/* with large blocks, it looks for the root elsewhere */
	g->new_judge = geometry_has(&geo, FEATURE_PARENT) || geometry_has(&geo, FEATURE_EXCHANGE) ||
		       geo.block_size > 16384;
	grove_must(g, grove_mount(g));
	start(g);
}

void grove_close(struct grove *g)
{
	g->doing = "unmount";
	if (g->vol)
		grove_unmount(g);
	while (g->names)
		grove_name_drop(g, g->name[0]);
	while (g->nodes)
		node_free(g->node[--g->nodes]);
	free(g->spare.bytes);
	disk_close(&g->disk);
}
