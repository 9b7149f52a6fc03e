/*
 * Keeping and putting back old bytes; see undo.h.
 *
 * Which pages are kept is a bitmap of regions that are allocated when something in them is written.
 * One lock around a write that meets new pages; others pass.
 */
#include "host/undo.h"

#include "base/trail.h"

#include <errno.h>
#include <fcntl.h>
#include <isa-l/crc.h>
#include <unistd.h>

#define UNDO_MAGIC "mendundo"
#define UNDO_VERSION 1u
#define PAGE 4096u
#define SECTOR 512u /* what a crash leaves old or new, and never in part */
#define RECORD_MAX (256u << 10)
#define REGION_PAGES 32768u

struct undo_header {
	char magic[8];
	struct le32 version, page;
	struct le64 device_size;
	struct le64 complete; /* bytes of the file up to the end; 0: cut off */
};
struct undo_record {
	struct le64 at;
	struct le32 size;
	struct le32 crc; /* of the bytes */
};

struct undo_device {
	struct device dev;
	struct env *env;
	struct device *lower;
	struct env_lock *lock;
	int fd;
	u64 end, records;
	u8 **region; /* bitmaps of pages that are kept; NULL: none is */
	u64 regions;
	u8 *buffer;  /* RECORD_MAX */
	bool failed; /* the file is not whole: it must not look so */
	char name[];
};

static struct undo_device *undo_of(struct device *dev)
{
	return (struct undo_device *)dev;
}

static u32 checksum(const void *bytes, size_t size)
{
	return crc32_iscsi((unsigned char *)(uintptr_t)bytes, (int)size, 0);
}

static int put(int fd, const char *name, u64 at, const void *bytes, size_t size)
{
	const u8 *next = bytes;

	while (size) {
		ssize_t n = pwrite(fd, next, size, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail(-EIO, "%s: %s", name,
				    n ? strerror(errno) : "cannot be written");
		next += n;
		at += (u64)n;
		size -= (size_t)n;
	}
	return 0;
}

static int get(int fd, const char *name, u64 at, void *bytes, size_t size)
{
	u8 *next = bytes;

	while (size) {
		ssize_t n = pread(fd, next, size, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(-EIO, "%s: %s", name, strerror(errno));
		if (!n)
			return fail(-EUCLEAN, "%s: ends too early", name);
		next += n;
		at += (u64)n;
		size -= (size_t)n;
	}
	return 0;
}

/* ---- keeping ---- */

static bool is_kept(const struct undo_device *u, u64 page)
{
	const u8 *region = u->region[page / REGION_PAGES];
	u32 bit = page % REGION_PAGES;

	return region && region[bit / 8] >> bit % 8 & 1;
}

static int set_kept(struct undo_device *u, u64 page)
{
	u8 **region = &u->region[page / REGION_PAGES];
	u32 bit = page % REGION_PAGES;

	if (!*region)
		*region = env_alloc(u->env, REGION_PAGES / 8);
	if (!*region)
		return fail(-ENOMEM, "%s: out of memory", u->name);
	(*region)[bit / 8] |= (u8)(1u << bit % 8);
	return 0;
}

/* Pages [from, to), none of which is kept, in one record. */
static int keep(struct undo_device *u, u64 from, u64 to)
{
	u64 at = from * PAGE, size = min_u64(to * PAGE, u->dev.size) - at;
	struct undo_record record = {.at = le64_make(at), .size = le32_make((u32)size)};
	int err = device_read(u->lower, daddr_of(at), u->buffer, size);

	record.crc = le32_make(checksum(u->buffer, size));
	if (!err)
		err = put(u->fd, u->name, u->end, &record, sizeof(record));
	if (!err)
		err = put(u->fd, u->name, u->end + sizeof(record), u->buffer, size);
	for (u64 page = from; page < to && !err; page++)
		err = set_kept(u, page);
	if (err)
		return err;
	u->end += sizeof(record) + size;
	u->records++;
	return 0;
}

static int keep_range(struct undo_device *u, u64 at, u64 size)
{
	u64 page = at / PAGE, end = div_up_u64(at + size, PAGE);
	bool any = false;
	int err = 0;

	while (page < end && !err) {
		u64 from = page;

		while (page < end && page - from < RECORD_MAX / PAGE && !is_kept(u, page))
			page++;
		if (page == from) {
			page++;
			continue;
		}
		err = keep(u, from, page);
		any = true;
	}
	if (!err && any && fdatasync(u->fd))
		err = fail(-EIO, "%s: %s", u->name, strerror(errno));
	if (err)
		u->failed = true;
	return err;
}

static int undo_write(struct device *dev, struct daddr at, const void *from, size_t size)
{
	struct undo_device *u = undo_of(dev);
	int err;

	if (at.v > dev->size || size > dev->size - at.v)
		return fail(-ENXIO, "%s: write beyond the end", dev->name);
	u->env->lock_take(u->lock);
	err = keep_range(u, at.v, size);
	u->env->lock_drop(u->lock);
	return err ? err : device_write(u->lower, at, from, size);
}

static int undo_read(struct device *dev, struct daddr at, void *to, size_t size)
{
	return device_read(undo_of(dev)->lower, at, to, size);
}

static int undo_flush(struct device *dev)
{
	return device_flush(undo_of(dev)->lower);
}

static void undo_will_read(struct device *dev, struct daddr at, u64 size)
{
	struct device *lower = undo_of(dev)->lower;

	if (lower->will_read)
		lower->will_read(lower, at, size);
}

/* Sectors [0, size) of what lies at `bytes`. */
static u32 sector_count(u32 size)
{
	return (u32)div_up_u64(size, SECTOR);
}

static struct le32 sector_crc(const u8 *bytes, u32 size, u32 i)
{
	u32 at = i * SECTOR;

	return le32_make(checksum(bytes + at, min_u64(SECTOR, size - at)));
}

/* What each record's place holds now. */
static int put_end(struct undo_device *u)
{
	struct undo_record end = {.at = le64_make(NULL64)}, record;
	u64 at = sizeof(struct undo_header), crcs = u->end + sizeof(end);
	int err = put(u->fd, u->name, u->end, &end, sizeof(end));

	for (u64 i = 0; i < u->records && !err; i++) {
		struct le32 crc[RECORD_MAX / SECTOR];
		u32 size, sectors;

		err = get(u->fd, u->name, at, &record, sizeof(record));
		if (err)
			break;
		size = le32_get(record.size);
		sectors = sector_count(size);
		err = device_read(u->lower, daddr_of(le64_get(record.at)), u->buffer, size);
		for (u32 n = 0; n < sectors; n++)
			crc[n] = sector_crc(u->buffer, size, n);
		if (!err)
			err = put(u->fd, u->name, crcs, crc, sectors * sizeof(crc[0]));
		crcs += sectors * sizeof(crc[0]);
		at += sizeof(record) + size;
	}
	return err;
}

static int put_header(struct undo_device *u, u64 complete)
{
	struct undo_header header = {.version = le32_make(UNDO_VERSION),
				     .page = le32_make(PAGE),
				     .device_size = le64_make(u->dev.size),
				     .complete = le64_make(complete)};
	int err;

	memcpy(header.magic, UNDO_MAGIC, sizeof(header.magic));
	err = put(u->fd, u->name, 0, &header, sizeof(header));
	if (!err && fsync(u->fd))
		err = fail(-EIO, "%s: %s", u->name, strerror(errno));
	return err;
}

static void undo_close(struct device *dev)
{
	struct undo_device *u = undo_of(dev);
	int err = u->failed ? -EIO : put_end(u);

	if (!err && fdatasync(u->fd))
		err = -errno;
	if (!err)
		err = put_header(u, u->end);
	if (err)
		u->env->note(u->env, "the undo file has no end: it can be used with --force only");
	close(u->fd);
	device_close(u->lower);
	for (u64 i = 0; i < u->regions; i++)
		env_free(u->env, u->region[i]);
	env_free(u->env, u->region);
	env_free(u->env, u->buffer);
	u->env->lock_destroy(u->env, u->lock);
	env_free(u->env, u);
}

static int make_file(struct undo_device *u)
{
	u->fd = open(u->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (u->fd < 0)
		return fail(-errno, "%s: %s", u->name, strerror(errno));
	u->end = sizeof(struct undo_header);
	return put_header(u, 0);
}

static void give_up(struct undo_device *u)
{
	if (!u)
		return;
	if (u->fd >= 0)
		close(u->fd);
	if (u->lock)
		u->env->lock_destroy(u->env, u->lock);
	env_free(u->env, u->buffer);
	env_free(u->env, u->region);
	env_free(u->env, u);
}

int device_open_undo(struct env *env, struct device *lower, const char *path, struct device **out)
{
	size_t length = strlen(path) + 1;
	struct undo_device *u = env_alloc(env, sizeof(*u) + length);
	int err = u ? 0 : fail(-ENOMEM, "%s: out of memory", path);

	*out = NULL;
	if (!err) {
		memcpy(u->name, path, length);
		u->env = env;
		u->lower = lower;
		u->fd = -1;
		u->dev = (struct device){.name = lower->name,
					 .size = lower->size,
					 .read_only = lower->read_only,
					 .read = undo_read,
					 .write = undo_write,
					 .flush = undo_flush,
					 .will_read = undo_will_read,
					 .close = undo_close};
		u->regions = div_up_u64(div_up_u64(lower->size, PAGE), REGION_PAGES);
		u->region = env_array(env, u->regions, sizeof(*u->region));
		u->buffer = env_alloc(env, RECORD_MAX);
		u->lock = env->lock_create(env);
		if (!u->region || !u->buffer || !u->lock)
			err = fail(-ENOMEM, "%s: out of memory", path);
	}
	if (!err)
		err = make_file(u);
	if (err) {
		give_up(u);
		return err;
	}
	*out = &u->dev;
	return 0;
}

/* ---- putting back ---- */

struct undoing {
	struct env *env;
	struct device *device;
	const char *name;
	int fd;
	u64 complete; /* as in the header */
	u8 *old, *now;
	u64 at; /* of the record at hand */
	struct undo_record record;
	struct undo_result *result;
};

static int read_header(struct undoing *u)
{
	struct undo_header h;
	int err = get(u->fd, u->name, 0, &h, sizeof(h));

	if (err)
		return err;
	if (memcmp(h.magic, UNDO_MAGIC, sizeof(h.magic)) != 0 ||
	    le32_get(h.version) != UNDO_VERSION || le32_get(h.page) != PAGE)
		return fail(-EUCLEAN, "%s: is no undo file", u->name);
	if (le64_get(h.device_size) != u->device->size)
		return fail(-EUCLEAN, "%s: is of a device of %llu bytes, %s has %llu", u->name,
			    (unsigned long long)le64_get(h.device_size), u->device->name,
			    (unsigned long long)u->device->size);
	u->complete = le64_get(h.complete);
	u->result->complete = u->complete != 0;
	return 0;
}

/* 1: a record, its bytes in u->old. 0: there is no further one; of a run that was cut off, the last
 * may be there in part, and then its page was not written either. */
static int read_record(struct undoing *u)
{
	bool cut_off = !u->complete;
	u32 size;
	int err;

	if (u->complete && u->at == u->complete)
		return 0;
	err = get(u->fd, u->name, u->at, &u->record, sizeof(u->record));
	size = le32_get(u->record.size);
	if (!err && (!size || size > RECORD_MAX || le64_get(u->record.at) > u->device->size ||
		     size > u->device->size - le64_get(u->record.at)))
		err = fail(-EUCLEAN, "%s: the record at %llu is not possible", u->name,
			   (unsigned long long)u->at);
	if (!err)
		err = get(u->fd, u->name, u->at + sizeof(u->record), u->old, size);
	if (!err && checksum(u->old, size) != le32_get(u->record.crc))
		err = fail(-EUCLEAN, "%s: the record at %llu has a wrong checksum", u->name,
			   (unsigned long long)u->at);
	if (err)
		return cut_off && err == -EUCLEAN ? 0 : err;
	u->at += sizeof(u->record) + size;
	return 1;
}

/* Does each sector hold what the run left there, or what was there before? *crcs: where the file
 * has their checksums. */
static int check_record(struct undoing *u, u64 *crcs)
{
	struct le32 crc[RECORD_MAX / SECTOR];
	u32 size = le32_get(u->record.size), sectors = sector_count(size);
	int err = device_read(u->device, daddr_of(le64_get(u->record.at)), u->now, size);

	if (!err)
		err = get(u->fd, u->name, *crcs, crc, sectors * sizeof(crc[0]));
	*crcs += sectors * sizeof(crc[0]);
	for (u32 i = 0; i < sectors && !err; i++) {
		u32 at = i * SECTOR;

		if (le32_get(sector_crc(u->now, size, i)) != le32_get(crc[i]) &&
		    memcmp(u->now + at, u->old + at, min_u64(SECTOR, size - at)) != 0)
			err = fail(
			    -ESTALE, "%s: has been changed since, at byte %llu: nothing is undone",
			    u->device->name, (unsigned long long)(le64_get(u->record.at) + at));
	}
	return err;
}

static int check_all(struct undoing *u)
{
	u64 crcs = u->complete + sizeof(u->record);
	int err = 0, more = 0;

	u->at = sizeof(struct undo_header);
	while (!err && (more = read_record(u)) > 0) {
		u->result->records++;
		u->result->bytes += le32_get(u->record.size);
		if (u->complete)
			err = check_record(u, &crcs);
	}
	return err ? err : more;
}

static int put_back(struct undoing *u)
{
	int err = 0, more = 0;

	u->at = sizeof(struct undo_header);
	while (!err && (more = read_record(u)) > 0)
		err = device_write(u->device, daddr_of(le64_get(u->record.at)), u->old,
				   le32_get(u->record.size));
	if (!err)
		err = more;
	return err ? err : device_flush(u->device);
}

int undo_apply(struct env *env, struct device *device, const char *path, bool force,
	       struct undo_result *result)
{
	struct undoing u = {.env = env, .device = device, .name = path, .result = result};
	int err;

	*result = (struct undo_result){0};
	u.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (u.fd < 0)
		return fail(-errno, "%s: %s", path, strerror(errno));
	u.old = env_alloc(env, RECORD_MAX);
	u.now = env_alloc(env, RECORD_MAX);
	err = u.old && u.now ? read_header(&u) : fail(-ENOMEM, "%s: out of memory", path);
	if (!err && !u.complete && !force)
		err = fail(-ECANCELED,
			   "%s: the repair was cut off, so it cannot be told whether the image "
			   "went on since; --force undoes it all the same",
			   path);
	if (!err)
		err = check_all(&u);
	if (!err)
		err = put_back(&u);
	env_free(env, u.old);
	env_free(env, u.now);
	close(u.fd);
	return err;
}
