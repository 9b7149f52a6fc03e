/*
 * mendfs damage: changes one field of one object, as a bad disk or a bug would; drives the fuzzing.
 *
 * Fields come from the descriptors, so there is no list here.  The bytes before are printed as the
 * command that puts them back.
 */
#include "cli/damage.h"

#include "base/trail.h"
#include "cli/cli.h"
#include "cli/object_log.h"
#include "format/damage.h"
#include "format/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNDO_GAP 8 /* runs of changes that are nearer than this become one */

/* Writes what differs from `before`, run by run; prints what undoes it. */
static int write_changes(const struct object *o, const u8 *before, const u8 *now)
{
	u32 at = 0;

	while (at < o->len) {
		u32 end, last, room;
		struct daddr where;
		int err;

		if (before[at] == now[at]) {
			at++;
			continue;
		}
		where = object_daddr(o, at);
		for (end = last = at + 1; end < o->len && end - last < UNDO_GAP; end++) {
			/* Runs end where the object's pieces do. */
			if (object_daddr(o, end).v - where.v != end - at)
				break;
			if (before[end] != now[end])
				last = end + 1;
		}
		room = last - at;
		err = device_write(o->dev, where, now + at, room);
		if (err)
			return err;
		printf(" --undo=");
		for (u32 i = at; i < last; i++)
			printf("%02x", before[i]);
		printf("@%" PRIu64, where.v);
		at = last;
	}
	return o->dev->flush(o->dev);
}

/* An argument for a shell. */
static void print_quoted(const char *text)
{
	putchar('\'');
	for (; *text; text++) {
		if (*text == '\'')
			printf("'\\''");
		else
			putchar(*text);
	}
	putchar('\'');
}

static int apply(const struct object *o, const struct damage *damage, enum damage_verb verb)
{
	struct object_field field;
	char before[VALUE_TEXT], after[VALUE_TEXT];
	u64 seed = damage->seed;
	u8 *now;
	bool fix_crc;
	int err = object_field_find(o, damage->field, &field);

	if (err)
		return err;
	fix_crc = damage->fix_crc && field.field->kind != FIELD_CRC;
	now = env_alloc(o->vol->env, o->len);
	if (!now)
		return fail(-ENOMEM, "%s: out of memory", o->name);
	memcpy(now, o->bytes, o->len);
	damage_field(verb, field.field, field.element, now + field.offset, &seed);
	if (!memcmp(now, o->bytes, o->len)) {
		printf("unchanged: %s of %s is like that already\n", damage->field, o->name);
		env_free(o->vol->env, now);
		return -EALREADY;
	}
	value_print(&o->vol->geo, field.layout, field.field, o->bytes + field.offset, field.element,
		    before);
	value_print(&o->vol->geo, field.layout, field.field, now + field.offset, field.element,
		    after);
	if (o->log)
		err = object_log_store(o, now, fix_crc);
	else if (fix_crc)
		damage_fix_crc(&o->vol->geo, o->type, o->bytes, now, o->len, field.offset);
	if (err) {
		env_free(o->vol->env, now);
		return err;
	}
	printf("%s: %s: %s -> %s%s\nundo: mendfs damage", o->name, damage->field, before, after,
	       damage->fix_crc ? "" : " (checksum as it was)");
	err = write_changes(o, o->log ? object_log_stored(o) : o->bytes, now);
	printf(" ");
	print_quoted(o->dev->name);
	printf("\n");
	env_free(o->vol->env, now);
	return err;
}

static int find_verb(const char *name, enum damage_verb *verb)
{
	*verb = damage_verb_find(name);
	return *verb < DAMAGE_VERBS ? 0 : fail(-EINVAL, "there is no verb \"%s\"", name);
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = c ? strchr(digits, c) : NULL;

	return found ? (int)(found - digits) : -1;
}

/* HEX@OFFSET */
static int undo_one(struct device *dev, const char *text)
{
	u64 at = 0;
	u32 count = 0;
	const char *sign = strchr(text, '@');
	u8 *bytes;
	int err = 0;

	if (!sign || sign == text || (sign - text) % 2 || !cli_parse_number(sign + 1, &at))
		return fail(-EINVAL, "\"%s\" is not HEX@OFFSET", text);
	bytes = malloc((size_t)(sign - text) / 2);
	if (!bytes)
		return fail(-ENOMEM, "out of memory");
	for (const char *p = text; !err && p < sign; p += 2) {
		int high = hex_digit(p[0]), low = hex_digit(p[1]);

		if (high < 0 || low < 0)
			err = fail(-EINVAL, "\"%s\" is not HEX@OFFSET", text);
		else
			bytes[count++] = (u8)(high << 4 | low);
	}
	if (!err)
		err = device_write(dev, daddr_of(at), bytes, count);
	free(bytes);
	return err;
}

static int undo(struct env *env, const char *image, char **undos, u32 count)
{
	struct device *dev;
	int err = device_open_file(env, image, false, &dev);

	if (err)
		return err;
	for (u32 i = 0; !err && i < count; i++)
		err = undo_one(dev, undos[i]);
	if (!err)
		err = dev->flush(dev);
	device_close(dev);
	return err;
}

/* A block device that is mounted is refused by the kernel when asked for exclusively. */
static int check_unused(const char *path)
{
	struct stat st;
	int fd;

	if (stat(path, &st) || !S_ISBLK(st.st_mode))
		return 0;
	fd = open(path, O_RDWR | O_EXCL | O_CLOEXEC);
	if (fd < 0)
		return fail(-errno, "%s: %s", path, strerror(errno));
	close(fd);
	return 0;
}

static int work(struct env *env, struct damage *damage, char **words, u32 count)
{
	struct verdict lenient = {.raise = raise_nothing};
	struct cli_image image = {.data = damage->image,
				  .log = damage->log_device,
				  .rt = damage->rt_device,
				  .writable = !damage->list,
				  .no_recovery = true,
				  .verdict = &lenient};
	struct vol *vol;
	struct object object;
	enum damage_verb verb = DAMAGE_ZEROES;
	int err = damage->list ? 0 : find_verb(words[count - 1], &verb);

	if (err)
		return err;
	err = cli_open(env, &image, &vol);
	if (err)
		return err;
	cli_tell_super(stderr, vol);
	if (damage->list && !count) {
		err = damage_list_all(vol);
	} else {
		err = object_find(vol, words, damage->list ? count : count - 2, &object);
		if (!err) {
			if (damage->list) {
				damage_list(&object);
			} else {
				damage->field = words[count - 2];
				err = apply(&object, damage, verb);
			}
			object_drop(&object);
		}
	}
	vol_close(vol);
	return err;
}

#define UNDO_MAX 256

static int finish(int err)
{
	if (!err)
		return 0;
	if (err == -EALREADY)
		return STATUS_WARNING;
	cli_failed();
	return err == -EINVAL ? STATUS_USAGE : STATUS_FAILED;
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option options[] = {
	    {"fix-crc", no_argument, NULL, 'c'},
	    {"no-fix-crc", no_argument, NULL, 'n'},
	    {"seed", required_argument, NULL, 's'},
	    {"undo", required_argument, NULL, 'u'},
	    {"list", no_argument, NULL, 'l'},
	    {"log-device", required_argument, NULL, 'd'},
	    {"rt-device", required_argument, NULL, 'r'},
	    {0},
	};
	struct damage damage = {.fix_crc = true};
	char *undos[UNDO_MAX];
	u32 undo_count = 0, words;
	bool seeded = false;
	struct env env;
	int c, err;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'c' || c == 'n')
			damage.fix_crc = c == 'c';
		else if (c == 's' && cli_parse_number(optarg, &damage.seed))
			seeded = true;
		else if (c == 'u' && undo_count < UNDO_MAX)
			undos[undo_count++] = optarg;
		else if (c == 'l')
			damage.list = true;
		else if (c == 'd')
			damage.log_device = optarg;
		else if (c == 'r')
			damage.rt_device = optarg;
		else
			return cli_usage(self);
	}
	words = (u32)(argc - optind);
	if (!words || (undo_count && words != 1))
		return cli_misuse(self, "expected an image");
	if (!undo_count && !damage.list && words < 4)
		return cli_misuse(self, "expected an object, a field and a verb");
	damage.image = argv[optind];
	host_env_init(&env, 1);
	err = damage.list ? 0 : check_unused(damage.image);
	if (!err && undo_count)
		return finish(undo(&env, damage.image, undos, undo_count));
	if (!err && !seeded)
		err = env.random(&env, &damage.seed, sizeof(damage.seed));
	if (!err)
		err = work(&env, &damage, argv + optind + 1, words - 1);
	return finish(err);
}

const struct command command_damage = {
    .name = "damage",
    .arguments = "[OPTION...] IMAGE OBJECT... FIELD VERB",
    .summary = "damage one field in place, and tell how to undo it",
    .help = "VERB is one of zeroes ones firstbit middlebit lastbit add sub random.\n"
	    "FIELD is written as inspect shows it: length, roots[1], "
	    "recs[3].startblock.\n" OBJECT_GRAMMAR "\n"
	    "  --no-fix-crc          leave the checksum wrong (it is made right by default)\n"
	    "  --seed=N              for the verb random\n"
	    "  --undo=HEX@OFFSET     put these bytes back (as often as there are stretches)\n"
	    "  --list                the fields of the object, or of all objects, one a line\n"
	    "\nExit status 2: the field was like that already.\n" CLI_HELP_DEVICES,
    .run = run,
};
