/*
 * The options of mkfs; see mkfs_options.h.
 *
 * First all suboptions are gathered as text, since sizes may be in blocks or sectors, whose sizes
 * may come later on the command line.  One table says what there is, what values are possible, and
 * what is refused and why.
 */
#include "cli/mkfs_options.h"

#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum kind {
	SIZE,	 /* bytes, with a suffix */
	SECTORS, /* of 512 bytes */
	NUMBER,
	FLAG, /* 0 or 1; 1 when there is no value */
	TEXT,
	FIXED,	    /* one value only: `max` */
	REFUSED,    /* not supported at all */
	REFUSED_ON, /* not supported but as 0 */
};

/* One word for each suboption: its letter and its name. */
enum id {
	B_SIZE,
	D_AGCOUNT,
	D_AGSIZE,
	D_FILE,
	D_NAME,
	D_SIZE,
	D_SUNIT,
	D_SWIDTH,
	D_SU,
	D_SW,
	D_NOALIGN,
	D_SECTSIZE,
	D_PROJINHERIT,
	D_EXTSZINHERIT,
	D_COWEXTSIZE,
	D_DAXINHERIT,
	D_CONCURRENCY,
	I_MAXPCT,
	I_PERBLOCK,
	I_SIZE,
	I_SPARSE,
	I_NREXT64,
	I_EXCHANGE,
	L_AGNUM,
	L_INTERNAL,
	L_SIZE,
	L_SUNIT,
	L_SU,
	L_LOGDEV,
	L_NAME,
	L_SECTSIZE,
	L_CONCURRENCY,
	M_FINOBT,
	M_UUID,
	M_RMAPBT,
	M_REFLINK,
	M_INOBTCOUNT,
	M_BIGTIME,
	N_SIZE,
	N_PARENT,
	R_EXTSIZE,
	R_SIZE,
	R_RTDEV,
	R_NAME,
	S_SIZE,
	S_SECTSIZE,
	IDS,
	NO_ID = IDS,
};

struct suboption {
	char letter;
	const char *name;
	enum kind kind;
	enum id id;
	u64 min, max;
	const char *why; /* it is refused */
};

#define V5_ONLY "always so in a V5 filesystem, and V4 is not supported"
#define METADIR_ONLY "it needs metadir, which is not supported"

static const struct suboption table[] = {
    {'b', "size", SIZE, B_SIZE, 1, 1 << 30, NULL},
    {'d', "agcount", NUMBER, D_AGCOUNT, 1, NULL32 - 1, NULL},
    {'d', "agsize", SIZE, D_AGSIZE, 1, NULL64, NULL},
    {'d', "file", FLAG, D_FILE, 0, 1, NULL},
    {'d', "name", TEXT, D_NAME, 0, 0, NULL},
    {'d', "size", SIZE, D_SIZE, 1, NULL64, NULL},
    {'d', "sunit", SECTORS, D_SUNIT, 0, NULL32, NULL},
    {'d', "swidth", SECTORS, D_SWIDTH, 0, NULL32, NULL},
    {'d', "su", SIZE, D_SU, 0, NULL32, NULL},
    {'d', "sw", NUMBER, D_SW, 0, NULL32, NULL},
    {'d', "noalign", FLAG, D_NOALIGN, 0, 1, NULL},
    {'d', "sectsize", SIZE, D_SECTSIZE, 1, 1 << 30, NULL},
    {'d', "projinherit", NUMBER, D_PROJINHERIT, 0, NULL32 - 1, NULL},
    {'d', "extszinherit", NUMBER, D_EXTSZINHERIT, 0, 1 << 21, NULL},
    {'d', "cowextsize", NUMBER, D_COWEXTSIZE, 0, 1 << 21, NULL},
    {'d', "daxinherit", FLAG, D_DAXINHERIT, 0, 1, NULL},
    {'d', "rtinherit", REFUSED_ON, NO_ID, 0, 0,
     "the root directory cannot be made to hand on realtime files"},
    {'d', "concurrency", NUMBER, D_CONCURRENCY, 0, 1 << 20, NULL},
    {'i', "align", FIXED, NO_ID, 0, 1, V5_ONLY},
    {'i', "attr", FIXED, NO_ID, 0, 2, V5_ONLY},
    {'i', "maxpct", NUMBER, I_MAXPCT, 0, 100, NULL},
    {'i', "perblock", NUMBER, I_PERBLOCK, 2, 128, NULL},
    {'i', "size", SIZE, I_SIZE, 1, 1 << 30, NULL},
    {'i', "projid32bit", FIXED, NO_ID, 0, 1, V5_ONLY},
    {'i', "sparse", FLAG, I_SPARSE, 0, 1, NULL},
    {'i', "nrext64", FLAG, I_NREXT64, 0, 1, NULL},
    {'i', "exchange", FLAG, I_EXCHANGE, 0, 1, NULL},
    {'l', "agnum", NUMBER, L_AGNUM, 0, NULL32 - 1, NULL},
    {'l', "internal", FLAG, L_INTERNAL, 0, 1, NULL},
    {'l', "size", SIZE, L_SIZE, 1, NULL64, NULL},
    {'l', "version", FIXED, NO_ID, 0, 2, V5_ONLY},
    {'l', "sunit", SECTORS, L_SUNIT, 1, NULL32, NULL},
    {'l', "su", SIZE, L_SU, 1, NULL32, NULL},
    {'l', "logdev", TEXT, L_LOGDEV, 0, 0, NULL},
    {'l', "name", TEXT, L_NAME, 0, 0, NULL},
    {'l', "file", REFUSED_ON, NO_ID, 0, 0, "the file for the log must be there already"},
    {'l', "sectsize", SIZE, L_SECTSIZE, 1, 1 << 30, NULL},
    {'l', "lazy-count", FIXED, NO_ID, 0, 1, V5_ONLY},
    {'l', "concurrency", NUMBER, L_CONCURRENCY, 0, 1 << 20, NULL},
    {'m', "crc", FIXED, NO_ID, 0, 1, V5_ONLY},
    {'m', "finobt", FLAG, M_FINOBT, 0, 1, NULL},
    {'m', "uuid", TEXT, M_UUID, 0, 0, NULL},
    {'m', "rmapbt", FLAG, M_RMAPBT, 0, 1, NULL},
    {'m', "reflink", FLAG, M_REFLINK, 0, 1, NULL},
    {'m', "inobtcount", FLAG, M_INOBTCOUNT, 0, 1, NULL},
    {'m', "bigtime", FLAG, M_BIGTIME, 0, 1, NULL},
    {'m', "metadir", REFUSED_ON, NO_ID, 0, 0, "metadata directories are not supported"},
    {'m', "autofsck", REFUSED, NO_ID, 0, 0, "the property of the root directory is not supported"},
    {'m', "uquota", REFUSED, NO_ID, 0, 0, METADIR_ONLY},
    {'m', "uqnoenforce", REFUSED, NO_ID, 0, 0, METADIR_ONLY},
    {'m', "gquota", REFUSED, NO_ID, 0, 0, METADIR_ONLY},
    {'m', "gqnoenforce", REFUSED, NO_ID, 0, 0, METADIR_ONLY},
    {'m', "pquota", REFUSED, NO_ID, 0, 0, METADIR_ONLY},
    {'m', "pqnoenforce", REFUSED, NO_ID, 0, 0, METADIR_ONLY},
    {'n', "size", SIZE, N_SIZE, 1, 1 << 30, NULL},
    {'n', "version", FIXED, NO_ID, 0, 2,
     "names without case (ci) are not supported, nor is version 1"},
    {'n', "ftype", FIXED, NO_ID, 0, 1, V5_ONLY},
    {'n', "parent", FLAG, N_PARENT, 0, 1, NULL},
    {'r', "extsize", SIZE, R_EXTSIZE, 1, 1 << 30, NULL},
    {'r', "size", SIZE, R_SIZE, 1, NULL64, NULL},
    {'r', "rtdev", TEXT, R_RTDEV, 0, 0, NULL},
    {'r', "name", TEXT, R_NAME, 0, 0, NULL},
    {'r', "file", REFUSED_ON, NO_ID, 0, 0,
     "the file for the realtime section must be there already"},
    {'r', "noalign", FIXED, NO_ID, 0, 1, "realtime extents are never aligned to a stripe"},
    {'r', "rgcount", REFUSED, NO_ID, 0, 0, "realtime groups are not supported"},
    {'r', "rgsize", REFUSED, NO_ID, 0, 0, "realtime groups are not supported"},
    {'r', "concurrency", REFUSED, NO_ID, 0, 0, "realtime groups are not supported"},
    {'r', "zoned", REFUSED_ON, NO_ID, 0, 0, "zoned devices are not supported"},
    {'r', "start", REFUSED, NO_ID, 0, 0, "zoned devices are not supported"},
    {'r', "reserved", REFUSED, NO_ID, 0, 0, "zoned devices are not supported"},
    {'s', "size", SIZE, S_SIZE, 1, 1 << 30, NULL},
    {'s', "sectsize", SIZE, S_SECTSIZE, 1, 1 << 30, NULL},
};

struct parser {
	struct mkfs_arguments *args;
	const char *text[IDS]; /* as given; NULL: not given */
	u64 value[IDS];
	u32 block_size, sector_size; /* for suffixes; 0: not given */
};

static bool __attribute__((format(printf, 2, 3))) wrong(struct parser *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(p->args->error, sizeof(p->args->error), format, args);
	va_end(args);
	return false;
}

/* --- gathering --- */

static const struct suboption *find_suboption(char letter, const char *name, size_t length)
{
	for (u32 i = 0; i < ARRAY_COUNT(table); i++)
		if (table[i].letter == letter && strlen(table[i].name) == length &&
		    !memcmp(table[i].name, name, length))
			return &table[i];
	return NULL;
}

static bool needs_value(enum kind kind)
{
	return kind != FLAG && kind != FIXED && kind != REFUSED && kind != REFUSED_ON;
}

static bool refuse(struct parser *p, const struct suboption *s, const char *value)
{
	if (s->kind == REFUSED || (s->kind == REFUSED_ON && (!value || strcmp(value, "0"))))
		return wrong(p, "-%c %s is not supported: %s", s->letter, s->name, s->why);
	if (s->kind == FIXED && value && strtoull(value, NULL, 10) != s->max)
		return wrong(p, "-%c %s=%s is not supported: %s", s->letter, s->name, value,
			     s->why);
	return true;
}

static bool add_suboption(struct parser *p, char letter, char *word)
{
	char *value = strchr(word, '=');
	const struct suboption *s =
	    find_suboption(letter, word, value ? (size_t)(value - word) : strlen(word));

	if (!s)
		return wrong(p, "unknown option -%c %s", letter, word);
	if (value)
		value++;
	if (needs_value(s->kind) && (!value || !*value))
		return wrong(p, "-%c %s option requires a value", letter, s->name);
	if (!refuse(p, s, value))
		return false;
	if (s->id == NO_ID)
		return true;
	if (p->text[s->id])
		return wrong(p, "-%c %s option respecified", letter, s->name);
	p->text[s->id] = value ? value : "1";
	return true;
}

static bool add_suboptions(struct parser *p, char letter, char *list)
{
	char *rest;

	for (char *word = strtok_r(list, ",", &rest); word; word = strtok_r(NULL, ",", &rest))
		if (!add_suboption(p, letter, word))
			return false;
	return true;
}

/* --- values --- */

/* What a suffix stands for; 0: unknown. */
static u64 unit_of(const struct parser *p, char suffix)
{
	static const char powers[] = "kmgtpe";
	const char *at;

	if (suffix == 'b')
		return p->block_size;
	if (suffix == 's')
		return p->sector_size;
	at = strchr(powers, suffix | 0x20);
	return at && *at ? 1ull << 10 * (at - powers + 1) : 0;
}

static bool parse_value(struct parser *p, const struct suboption *s)
{
	const char *text = p->text[s->id];
	u64 unit = 1, value;
	char *end;

	if (s->kind == TEXT)
		return true;
	errno = 0;
	value = strtoull(text, &end, 0);
	if (*text < '0' || *text > '9')
		return wrong(p, "Invalid value %s for -%c %s option. Not a number.", text,
			     s->letter, s->name);
	if (*end && s->kind == SIZE) {
		unit = unit_of(p, *end);
		if ((*end == 'b' || *end == 's') && !unit)
			return wrong(p, "%s for -%c %s: the size of that unit must be given, too",
				     text, s->letter, s->name);
		end++;
	}
	if (*end || !unit)
		return wrong(p, "Invalid value %s for -%c %s option. Not a %s.", text, s->letter,
			     s->name, s->kind == SIZE ? "size" : "number");
	if (errno || __builtin_mul_overflow(value, unit, &value) || value > s->max)
		return wrong(p, "Invalid value %s for -%c %s option. Value is too large.", text,
			     s->letter, s->name);
	if (value < s->min)
		return wrong(p, "Invalid value %s for -%c %s option. Value is too small.", text,
			     s->letter, s->name);
	if (s->kind == SECTORS)
		value *= 512;
	p->value[s->id] = value;
	return true;
}

static bool given(const struct parser *p, enum id id)
{
	return p->text[id];
}

/* Block and sector size first: suffixes need them. */
static bool parse_values(struct parser *p)
{
	static const enum id units[] = {B_SIZE, S_SIZE, S_SECTSIZE, D_SECTSIZE};

	for (u32 pass = 0; pass < 2; pass++) {
		for (u32 i = 0; i < ARRAY_COUNT(table); i++) {
			bool unit = false;

			for (u32 k = 0; k < ARRAY_COUNT(units); k++)
				unit |= table[i].id == units[k];
			if (table[i].id == NO_ID || !given(p, table[i].id) || unit == pass)
				continue;
			if (!parse_value(p, &table[i]))
				return false;
		}
		p->block_size = given(p, B_SIZE) ? (u32)p->value[B_SIZE] : 4096;
		p->sector_size =
		    (u32)(p->value[S_SIZE] | p->value[S_SECTSIZE] | p->value[D_SECTSIZE]);
		if (!p->sector_size)
			p->sector_size = 512;
	}
	return true;
}

/* --- what goes together --- */

static bool check_conflicts(struct parser *p)
{
	static const struct {
		enum id a, b;
		const char *what;
	} conflicts[] = {
	    {D_SU, D_SUNIT, "-d su and -d sunit"},
	    {D_SU, D_SWIDTH, "-d su and -d swidth"},
	    {D_SW, D_SWIDTH, "-d sw and -d swidth"},
	    {D_SW, D_SUNIT, "-d sw and -d sunit"},
	    {D_NOALIGN, D_SU, "-d noalign and -d su"},
	    {D_NOALIGN, D_SUNIT, "-d noalign and -d sunit"},
	    {D_AGCOUNT, D_AGSIZE, "-d agcount and -d agsize"},
	    {D_AGCOUNT, D_CONCURRENCY, "-d agcount and -d concurrency"},
	    {D_AGSIZE, D_CONCURRENCY, "-d agsize and -d concurrency"},
	    {S_SIZE, S_SECTSIZE, "-s size and -s sectsize"},
	    {S_SIZE, D_SECTSIZE, "-s size and -d sectsize"},
	    {S_SECTSIZE, D_SECTSIZE, "-s sectsize and -d sectsize"},
	    {I_PERBLOCK, I_SIZE, "-i perblock and -i size"},
	    {L_SU, L_SUNIT, "-l su and -l sunit"},
	    {L_SIZE, L_CONCURRENCY, "-l size and -l concurrency"},
	    {L_LOGDEV, L_NAME, "-l logdev and -l name"},
	    {L_LOGDEV, L_INTERNAL, "-l logdev and -l internal"},
	    {L_LOGDEV, L_AGNUM, "-l logdev and -l agnum"},
	    {R_RTDEV, R_NAME, "-r rtdev and -r name"},
	};

	for (u32 i = 0; i < ARRAY_COUNT(conflicts); i++)
		if (given(p, conflicts[i].a) && given(p, conflicts[i].b))
			return wrong(p, "Cannot specify both %s", conflicts[i].what);
	if (given(p, D_SU) != given(p, D_SW))
		return wrong(p, "both data su and data sw options must be specified");
	if (given(p, D_SUNIT) != given(p, D_SWIDTH))
		return wrong(p, "both data sunit and data swidth options must be specified");
	return true;
}

static void take_features(struct parser *p)
{
	static const struct {
		enum id id;
		enum feature feature;
	} map[] = {
	    {I_SPARSE, FEATURE_SPARSE},		{I_NREXT64, FEATURE_NREXT64},
	    {I_EXCHANGE, FEATURE_EXCHANGE},	{M_FINOBT, FEATURE_FINOBT},
	    {M_RMAPBT, FEATURE_RMAPBT},		{M_REFLINK, FEATURE_REFLINK},
	    {M_INOBTCOUNT, FEATURE_INOBTCOUNT}, {M_BIGTIME, FEATURE_BIGTIME},
	    {N_PARENT, FEATURE_PARENT},
	};
	struct mkfs_options *o = &p->args->what.options;

	for (u32 i = 0; i < ARRAY_COUNT(map); i++) {
		if (!given(p, map[i].id))
			continue;
		if (p->value[map[i].id])
			o->features_on |= 1u << map[i].feature;
		else
			o->features_off |= 1u << map[i].feature;
	}
}

static bool take_uuid(struct parser *p)
{
	struct mkfs_options *o = &p->args->what.options;
	const char *at = p->text[M_UUID];

	if (!at)
		return true;
	for (u32 i = 0; i < sizeof(o->uuid.b); i++) {
		char digits[3] = {0}, *end;

		if (i == 4 || i == 6 || i == 8 || i == 10)
			if (*at++ != '-')
				break;
		memcpy(digits, at, strnlen(at, 2));
		o->uuid.b[i] = (u8)strtoul(digits, &end, 16);
		if (strspn(digits, "0123456789abcdefABCDEF") != 2)
			break;
		at += 2;
		o->has_uuid = i + 1 == sizeof(o->uuid.b) && !*at;
	}
	return o->has_uuid ? true
			   : wrong(p, "Invalid value %s for -m uuid option", p->text[M_UUID]);
}

static void take_sizes(struct parser *p)
{
	struct mkfs_options *o = &p->args->what.options;
	const u64 *v = p->value;

	o->block_size = (u32)v[B_SIZE];
	o->sector_size = (u32)(v[S_SIZE] | v[S_SECTSIZE] | v[D_SECTSIZE]);
	o->inode_size = given(p, I_PERBLOCK) ? p->block_size / (u32)v[I_PERBLOCK] : (u32)v[I_SIZE];
	o->dir_block_size = (u32)v[N_SIZE];
	o->data_size = v[D_SIZE];
	o->ag_count = (u32)v[D_AGCOUNT];
	o->ag_size = v[D_AGSIZE];
	o->stripe_unit = v[D_SU] | v[D_SUNIT];
	o->stripe_width = given(p, D_SW) ? v[D_SU] * v[D_SW] : v[D_SWIDTH];
	/* a stripe of nothing is none, whatever the device says */
	o->no_stripe = v[D_NOALIGN] || ((given(p, D_SU) || given(p, D_SUNIT)) && !o->stripe_unit &&
					!o->stripe_width);
	o->log_size = v[L_SIZE];
	o->log_stripe_unit = v[L_SU] | v[L_SUNIT];
	o->log_sector_size = (u32)v[L_SECTSIZE];
	o->rt_size = v[R_SIZE];
	o->rt_extent_size = v[R_EXTSIZE];
	o->project = (u32)v[D_PROJINHERIT];
	o->extent_size = (u32)v[D_EXTSZINHERIT];
	o->cow_extent_size = (u32)v[D_COWEXTSIZE];
	o->dax = v[D_DAXINHERIT];
	if (given(p, I_MAXPCT))
		o->max_inode_percent = (u32)v[I_MAXPCT];
	if (given(p, L_AGNUM))
		o->log_ag = (u32)v[L_AGNUM];
	if (given(p, D_CONCURRENCY))
		o->data_concurrency = (u32)v[D_CONCURRENCY];
	if (given(p, L_CONCURRENCY))
		o->log_concurrency = (u32)v[L_CONCURRENCY];
}

static bool take_devices(struct parser *p, int argc, char **argv)
{
	struct host_mkfs *what = &p->args->what;

	if (argc > 1)
		return wrong(p, "extra arguments: %s", argv[1]);
	if (argc && given(p, D_NAME))
		return wrong(p, "-d name option respecified");
	what->data = argc ? argv[0] : p->text[D_NAME];
	what->log = given(p, L_LOGDEV) ? p->text[L_LOGDEV] : p->text[L_NAME];
	what->rt = given(p, R_RTDEV) ? p->text[R_RTDEV] : p->text[R_NAME];
	what->create = p->value[D_FILE];
	if (!what->data)
		return wrong(p, "No device name specified");
	if (what->create && !given(p, D_SIZE))
		return wrong(p, "if -d file then -d size is required");
	if (what->log && p->value[L_INTERNAL])
		return wrong(p, "Cannot specify both a log device and -l internal");
	return true;
}

static bool take_label(struct parser *p, const char *label)
{
	struct mkfs_options *o = &p->args->what.options;

	if (strlen(label) >= sizeof(o->label))
		return wrong(p, "Invalid value %s for -L option: more than %zu bytes", label,
			     sizeof(o->label) - 1);
	memset(o->label, 0, sizeof(o->label));
	memcpy(o->label, label, strlen(label));
	return true;
}

static bool take_letter(struct parser *p, int c)
{
	struct mkfs_arguments *args = p->args;

	switch (c) {
	case 'L':
		return take_label(p, optarg);
	case 'q':
		args->quiet = true;
		return true;
	case 'N':
		args->what.dry = true;
		return true;
	case 'f':
		args->what.force = true;
		return true;
	case 'K':
		args->what.options.keep = true;
		return true;
	case 'V':
		args->version = true;
		return true;
	case 'p':
		return wrong(p, "-p is not supported: a filesystem is made empty");
	case 'c':
		return wrong(p, "-c is not supported: options are given on the command line");
	case '?':
	case ':':
		return wrong(p, "unknown option, or one without its value: -%c", optopt);
	default:
		return add_suboptions(p, (char)c, optarg);
	}
}

bool mkfs_parse(struct mkfs_arguments *args, int argc, char **argv)
{
	struct parser p = {.args = args};
	int c;

	*args = (struct mkfs_arguments){0};
	mkfs_options_init(&args->what.options);
	opterr = 0;
	while ((c = getopt(argc, argv, ":b:c:d:i:l:L:m:n:p:r:s:qNfKV")) != -1)
		if (!take_letter(&p, c))
			return false;
	if (args->version)
		return true;
	if (!parse_values(&p) || !check_conflicts(&p) || !take_uuid(&p) ||
	    !take_devices(&p, argc - optind, argv + optind))
		return false;
	take_features(&p);
	take_sizes(&p);
	return true;
}
