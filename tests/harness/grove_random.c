/* Random work on a tree; see grove.h. */
#include "grove.h"

#include "format/attr.h"

#include <stdio.h>
#include <sys/stat.h>

static struct grove_node *some_node(struct grove *g, u16 kind)
{
	u32 at = grove_draw(g, g->nodes);

	for (u32 i = 0; i < g->nodes; i++) {
		struct grove_node *n = g->node[(at + i) % g->nodes];

		if (!kind || (n->mode & S_IFMT) == kind)
			return n;
	}
	return NULL;
}

static struct grove_node *some_dir(struct grove *g)
{
	return grove_draw(g, 3) ? grove_root(g) : some_node(g, S_IFDIR);
}

static void some_text(struct grove *g, char name[256])
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz-_ABCDEF";
	u32 length = grove_draw(g, 30) ? 1 + grove_draw(g, 20) : 1 + grove_draw(g, 255);

	snprintf(name, 256, "%u", grove_draw(g, 500));
	for (u32 i = (u32)strlen(name); i < length; i++) {
		name[i] = letters[grove_draw(g, sizeof(letters) - 1)];
		name[i + 1] = 0;
	}
}

static struct grove_name *some_name(struct grove *g)
{
	return g->names ? g->name[grove_draw(g, g->names)] : NULL;
}

static void make(struct grove *g)
{
	static const u16 modes[] = {0100644, 0100600, 0100644, 0040755, 0042770,
				    0120777, 0010644, 0020600, 0140600};
	u16 mode = modes[grove_draw(g, ARRAY_COUNT(modes))];
	char name[256], target[1024];
	u32 length = grove_draw(g, 4) ? 1 + grove_draw(g, 60) : 1 + grove_draw(g, 1023);

	memset(target, 't', sizeof(target));
	target[length] = 0;
	some_text(g, name);
	if (g->nodes < GROVE_NODES / 2)
		grove_create(g, some_dir(g), name, mode, S_ISLNK(mode) ? target : NULL);
}

static void move(struct grove *g, struct grove_name *from)
{
	static const u32 flags[] = {0, 0, 0, NAMES_NOREPLACE, NAMES_EXCHANGE, NAMES_WHITEOUT};
	struct grove_name *to = some_name(g);
	struct grove_node *dir = grove_draw(g, 3) ? some_dir(g) : to->dir;
	char name[256];

	snprintf(name, sizeof(name), "%s", to->text);
	if (grove_draw(g, 2))
		some_text(g, name);
	grove_rename(g, from->dir, from->text, dir, name, flags[grove_draw(g, ARRAY_COUNT(flags))]);
}

static void link_some(struct grove *g)
{
	char name[256];

	some_text(g, name);
	grove_link(g, some_node(g, 0), some_dir(g), name);
}

static void change_attr(struct grove *g)
{
	static const u8 flags[] = {0, ATTR_ROOT, ATTR_SECURE};
	static u8 value[65536];
	static const u32 lengths[] = {20, 20, 20, 300, 3000, 20000};
	struct grove_node *n = some_node(g, 0);
	u32 length = grove_draw(g, lengths[grove_draw(g, ARRAY_COUNT(lengths))]);
	char name[256];

	for (u32 i = 0; i < length; i++)
		value[i] = (u8)grove_draw(g, 256);
	some_text(g, name);
	if (n->attrs && grove_draw(g, 2))
		snprintf(name, sizeof(name), "%s", n->attrs->name);
	grove_attr(g, n, flags[grove_draw(g, ARRAY_COUNT(flags))], name,
		   grove_draw(g, 3) ? value : NULL, length);
}

static u64 some_length(struct grove *g)
{
	static const u32 most[] = {10, 3000, 9000, 60000, 200000};

	return 1 + grove_draw(g, most[grove_draw(g, ARRAY_COUNT(most))]);
}

static void write_some(struct grove *g, struct grove_node *n)
{
	u64 off =
	    grove_draw(g, 3) ? grove_draw(g, (u32)n->size + 1) : grove_draw(g, GROVE_FILE_MAX);

	grove_write(g, n, off, min_u64(some_length(g), GROVE_FILE_MAX - off));
}

static void shift_some(struct grove *g, struct grove_node *n)
{
	u32 log = g->vol->geo.block_log;
	u32 blocks = (u32)(n->size >> log), at, count;

	if (!blocks)
		return;
	at = grove_draw(g, blocks);
	count = 1 + grove_draw(g, blocks - at);
	if (grove_draw(g, 2))
		grove_collapse(g, n, at, count);
	else if (n->size + (40u << log) < GROVE_FILE_MAX)
		grove_insert(g, n, at, 1 + grove_draw(g, 40));
}

static void share_some(struct grove *g, struct grove_node *from)
{
	struct grove_node *to = some_node(g, S_IFREG);
	u32 log = g->vol->geo.block_log, blocks;
	u64 from_at, to_at, count, len;

	if (!from->size || !geometry_has(&g->vol->geo, FEATURE_REFLINK))
		return;
	blocks = (u32)div_up_u64(from->size, 1u << log);
	from_at = grove_draw(g, blocks);
	count = 1 + grove_draw(g, blocks - (u32)from_at);
	to_at = grove_draw(g, 3) ? grove_draw(g, GROVE_FILE_MAX >> log) : from_at;
	len = min_u64(count << log, from->size - (from_at << log));
	if (to_at + count > GROVE_FILE_MAX >> log ||
	    (len & ((1u << log) - 1) && (to_at << log) + len < to->size) ||
	    (from == to && max_u64(from_at, to_at) - min_u64(from_at, to_at) < count))
		return;
	grove_share(g, from, to, from_at, to_at, count);
}

static void content(struct grove *g, u32 what)
{
	struct grove_node *n = some_node(g, S_IFREG);
	u32 log = g->vol->geo.block_log;

	if (!n)
		return;
	switch (what) {
	case 0:
		grove_truncate(g, n,
			       grove_draw(g, 3) ? grove_draw(g, (u32)n->size + 1)
						: grove_draw(g, GROVE_FILE_MAX));
		break;
	case 1:
		grove_punch(g, n, grove_draw(g, (u32)n->size + 1), some_length(g));
		break;
	case 2:
		grove_allocate(g, n, grove_draw(g, GROVE_FILE_MAX) >> log, 1 + grove_draw(g, 80));
		break;
	case 3:
		shift_some(g, n);
		break;
	case 4:
		share_some(g, n);
		break;
	case 5:
		grove_unshare(g, n);
		break;
	default:
		write_some(g, n);
	}
}

static void now_and_then(struct grove *g)
{
	if (!grove_draw(g, 10))
		grove_forget(g);
	if (!grove_draw(g, 30))
		grove_force(g);
	if (!grove_draw(g, 100))
		grove_push(g);
}

static void remove_some(struct grove *g, struct grove_name *name)
{
	char text[256];

	snprintf(text, sizeof(text), "%s", name->text);
	grove_remove(g, name->dir, text);
}

static void move_some(struct grove *g, struct grove_name *name)
{
	struct grove_name from = *name;

	move(g, &from);
}

void grove_step(struct grove *g)
{
	static const char *const doing[] = {"make",    "make",	  "make",    "remove",	"remove",
					    "rename",  "link",	  "setattr", "attr",	"content",
					    "content", "content", "content", "content", "content"};
	u32 what = grove_draw(g, ARRAY_COUNT(doing));
	struct grove_name *name = some_name(g);

	g->operation++;
	g->doing = doing[what];
	if (what < 3)
		make(g);
	else if (what < 5 && name)
		remove_some(g, name);
	else if (what == 5 && name)
		move_some(g, name);
	else if (what == 6)
		link_some(g);
	else if (what == 7)
		grove_setattr(g, some_node(g, 0), (u16)grove_draw(g, 010000), grove_draw(g, 9));
	else if (what == 8)
		change_attr(g);
	else if (what > 8)
		content(g, grove_draw(g, 10));
	now_and_then(g);
}
