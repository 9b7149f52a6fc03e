/* What `mendfs quota` prints: the records of a snapshot, in the form of xfs_quota. */
#include "base/trail.h"
#include "cli/quota.h"
#include "fs/fork.h"
#include "fs/quota.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>

#define PROJECT_IDS "/etc/projid"
#define NAME_BUFFER 4096
#define NAME_WIDTH 64

/* ---- names ---- */

/* Lines of `name:id`. name NULL: what is the name of *id? */
static bool find_project(const char *name, u32 *id, char *to, size_t size)
{
	FILE *file = fopen(PROJECT_IDS, "re");
	char line[256];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file)) {
		char *colon = strchr(line, ':'), *end;
		unsigned long number;

		if (!colon || *line == '#')
			continue;
		*colon = 0;
		number = strtoul(colon + 1, &end, 10);
		if (end == colon + 1 || number > NULL32)
			continue;
		found = name ? !strcmp(name, line) : number == *id;
		if (found && name)
			*id = (u32)number;
		if (found && to)
			snprintf(to, size, "%s", line);
	}
	if (file)
		fclose(file);
	return found;
}

bool quota_id_of(u32 type, const char *word, u32 *id)
{
	char buffer[NAME_BUFFER];
	struct passwd user, *is_user = NULL;
	struct group group, *is_group = NULL;
	u64 number;

	if (cli_parse_number(word, &number) && number <= NULL32) {
		*id = (u32)number;
		return true;
	}
	if (type == DQUOT_PROJECT)
		return find_project(word, id, NULL, 0);
	if (type == DQUOT_USER && !getpwnam_r(word, &user, buffer, sizeof(buffer), &is_user) &&
	    is_user)
		*id = user.pw_uid;
	if (type == DQUOT_GROUP && !getgrnam_r(word, &group, buffer, sizeof(buffer), &is_group) &&
	    is_group)
		*id = group.gr_gid;
	return is_user || is_group;
}

void quota_name_of(u32 type, u32 id, bool numbers, char *to, size_t size)
{
	char buffer[NAME_BUFFER];
	struct passwd user, *is_user = NULL;
	struct group group, *is_group = NULL;

	snprintf(to, size, "#%" PRIu32, id);
	if (numbers)
		return;
	if (type == DQUOT_PROJECT)
		find_project(NULL, &id, to, size);
	else if (type == DQUOT_USER && !getpwuid_r(id, &user, buffer, sizeof(buffer), &is_user) &&
		 is_user)
		snprintf(to, size, "%s", user.pw_name);
	else if (type == DQUOT_GROUP &&
		 !getgrgid_r(id, &group, buffer, sizeof(buffer), &is_group) && is_group)
		snprintf(to, size, "%s", group.gr_name);
}

/* ---- records ---- */

struct report {
	struct cli_run *run;
	const struct quota_command *c;
	struct vol *vol;
	u32 type;
	u64 now;
	bool blocks, inodes;
};

static void print_amount(const struct report *r, u64 amount, bool bytes)
{
	static const char unit[] = "KMGTPE";
	double value = (double)amount;
	u32 i = 0;

	if (!r->c->human || !bytes || !amount) {
		fprintf(r->run->out, " %10" PRIu64, amount);
		return;
	}
	for (; value >= 1024 && unit[i + 1]; i++)
		value /= 1024;
	fprintf(r->run->out, " %9.1f%c", value, unit[i]);
}

static void print_grace(const struct report *r, const struct dquot *d, struct be32 timer, u16 warns)
{
	u64 until = quota_timer(d, timer), left = until - r->now;
	char text[32] = "";
	const u32 day = 24 * 60 * 60;

	if (!until || !be32_get(d->id)) /* of id 0 it is the time of grace itself */
		snprintf(text, sizeof(text), "--------");
	else if (r->now > until)
		snprintf(text, sizeof(text), "-none-");
	else if (left >= day)
		snprintf(text, sizeof(text), "%" PRIu64 " day%s", left / day,
			 left / day == 1 ? "" : "s");
	else
		snprintf(text, sizeof(text), "%02u:%02u:%02u", (u32)left / 3600,
			 (u32)left / 60 % 60, (u32)left % 60);
	fprintf(r->run->out, "     %02u [%s]", warns, text);
}

static bool is_used(const struct report *r, const struct dquot *d)
{
	u64 blocks = be64_get(d->bcount) | be64_get(d->blk_hardlimit) | be64_get(d->blk_softlimit);
	u64 inodes = be64_get(d->icount) | be64_get(d->ino_hardlimit) | be64_get(d->ino_softlimit);
	u32 id = be32_get(d->id);

	if (id < r->c->low || id > r->c->high)
		return false;
	if (r->c->terse) /* only who is above a limit */
		return id && (be32_get(d->btimer) || be32_get(d->itimer));
	return !id || blocks || inodes || be64_get(d->rtbcount);
}

static void print_record(const struct report *r, const struct dquot *d)
{
	u32 log = r->vol->geo.block_log - 10;
	char name[NAME_WIDTH];

	quota_name_of(r->type, be32_get(d->id), r->c->numbers, name, sizeof(name));
	fprintf(r->run->out, "%-10s", name);
	if (r->blocks) {
		print_amount(r, be64_get(d->bcount) << log, true);
		print_amount(r, be64_get(d->blk_softlimit) << log, true);
		print_amount(r, be64_get(d->blk_hardlimit) << log, true);
		print_grace(r, d, d->btimer, be16_get(d->bwarns));
	}
	if (r->inodes) {
		print_amount(r, be64_get(d->icount), false);
		print_amount(r, be64_get(d->ino_softlimit), false);
		print_amount(r, be64_get(d->ino_hardlimit), false);
		print_grace(r, d, d->itimer, be16_get(d->iwarns));
	}
	fprintf(r->run->out, "\n");
}

static int report_block(const struct report *r, u64 start, u64 ino)
{
	const struct geometry *g = &r->vol->geo;
	const struct meta_type *type = vol_type(r->vol, META_DQUOT);
	struct daddr at = fsblock_daddr(g, fsblock_of(start));
	const struct where where = {.type = type->name,
				    .ag = fsblock_ag(g, fsblock_of(start)),
				    .ino = ino,
				    .daddr = at.v,
				    .owner = ino};
	const struct dquot *d;
	struct buf *buf;
	int err = env_stopped(r->vol->env)
		      ? -ECANCELED
		      : cache_get(r->vol->cache, type, &where, at, g->block_size, &buf);

	if (err)
		return err;
	d = (const struct dquot *)buf->data;
	for (u32 i = 0; i < dquots_per_block(g); i++)
		if (is_used(r, &d[i]))
			print_record(r, &d[i]);
	cache_put(r->vol->cache, buf);
	return 0;
}

static int report_extent(void *arg, const struct extent *e)
{
	const struct report *r = arg;
	u64 ino = quota_inode_of(&r->vol->geo, r->type);
	int err = 0;

	for (u64 i = 0; i < e->count && !err; i++)
		err = report_block(r, e->start + i, ino);
	return err;
}

static void print_header(const struct report *r, const struct quota_kind *kind)
{
	FILE *out = r->run->out;

	fprintf(out, "%s quota on %s\n%-10s", kind->title, r->c->image.data, "");
	if (r->blocks)
		fprintf(out, " %50s", "Blocks                    ");
	if (r->inodes)
		fprintf(out, " %50s", "Inodes                    ");
	fprintf(out, "\n%-7s ID", kind->title);
	for (u32 i = 0; i < (u32)r->blocks + r->inodes; i++)
		fprintf(out, " %10s %10s %10s    %s", "Used", "Soft", "Hard", "Warn/Grace    ");
	fprintf(out, "\n");
	for (u32 i = 0; i < 10 + 51 * ((u32)r->blocks + r->inodes); i++)
		fputc(i == 10 || i == 61 ? ' ' : '-', out);
	fprintf(out, "\n");
}

static int report_kind(struct report *r, const struct quota_kind *kind)
{
	struct inode inode;
	int err;

	r->type = kind->type;
	if (!r->c->no_header)
		print_header(r, kind);
	err = inode_get(r->vol, inum_of(quota_inode_of(&r->vol->geo, kind->type)), &inode);
	if (err)
		return err;
	err = fork_each(r->vol, &inode, FORK_DATA, fileoff_of(0), report_extent, r);
	inode_put(r->vol, &inode);
	if (!r->c->no_header)
		fprintf(r->run->out, "\n");
	return err;
}

int quota_report(struct cli_run *run, const struct quota_command *c)
{
	struct report r = {.run = run,
			   .c = c,
			   .now = env_wall(&run->env),
			   .blocks = c->blocks || !c->inodes,
			   .inodes = c->inodes};
	int err = cli_run_open(run, &c->image, &r.vol);
	u32 there = 0, shown = 0;

	if (!err)
		there = quota_types_counted(&r.vol->geo) & quota_types_there(&r.vol->geo);
	for (u32 i = 0; i < QUOTA_KINDS && !err; i++)
		if (there & quota_kinds[i].type && (!c->types || c->types & quota_kinds[i].type)) {
			shown++;
			err = report_kind(&r, &quota_kinds[i]);
		}
	if (!err && !shown)
		err = fail(-ESRCH, "%s: quotas are not on", c->image.data);
	vol_close(r.vol);
	return err ? cli_failed_in(run) : 0;
}

int quota_state(struct cli_run *run, const struct quota_command *c)
{
	const struct geometry *g;
	struct vol *vol = NULL;

	if (cli_run_open(run, &c->image, &vol))
		return cli_failed_in(run);
	g = &vol->geo;
	for (u32 i = 0; i < QUOTA_KINDS; i++) {
		u32 type = quota_kinds[i].type;
		u64 ino = quota_inode_of(g, type);

		if (c->types && !(c->types & type))
			continue;
		fprintf(run->out,
			"%s quota state on %s\n  Accounting: %s\n  Enforcement: %s\n  Inode: ",
			quota_kinds[i].title, c->image.data,
			quota_types_counted(g) & type ? "ON" : "OFF",
			quota_types_enforced(g) & type ? "ON" : "OFF");
		if (ino)
			fprintf(run->out, "#%" PRIu64 "\n", ino);
		else
			fprintf(run->out, "N/A\n");
	}
	vol_close(vol);
	return 0;
}
