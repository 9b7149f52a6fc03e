/*
 * Findings: what is wrong, with a permanent name, raised in one place.
 *
 * A rule calls raise_*(); the verdict's sink (the cache's verifier, the sweep) decides what becomes
 * of it.  The rows (struct finding_def) are in src/meta/findings.def.
 */
#ifndef MENDFS_FORMAT_FINDING_H
#define MENDFS_FORMAT_FINDING_H

#include "base/types.h"

/* In order of weight. */
enum severity {
	SEVERITY_NONE,
	SEVERITY_INCOMPLETE, /* could not be checked */
	SEVERITY_WARNING,    /* odd, but allowed */
	SEVERITY_PREEN,	     /* sound, could be better */
	SEVERITY_DISAGREES,  /* own block fine, another says otherwise */
	SEVERITY_CORRUPT,
};

struct finding_def {
	const char *id;	  /* "AGI_LENGTH": permanent, never reused */
	const char *type; /* name of the metadata type, or of the account */
	enum severity severity;
	/* What is wrong, in words; {found} and {expected} are replaced. */
	const char *text;
};

/* Where a finding is. A member that is not known has its NO_ value. */
#define NO_AG NULL32
#define NO_INO NULL64
#define NO_DADDR NULL64
#define NO_OWNER NULL64
struct where {
	const char *type; /* name of the metadata type */
	u32 ag;
	u64 ino;
	u64 daddr; /* byte offset on the device of the object */
	u64 owner; /* what the block's owner field must say: an inode, or an AG (0 is one) */
	/* Blocks of directories: where in the fork, in blocks. Blocks of a block map: which one, as
	 * RMAP_OFFSET_*. Others: 0. */
	u64 offset;
	const char *path; /* filled in late, when a name is known; NULL otherwise */
};

#define FINDING_TEXT 96
struct finding {
	const struct finding_def *def;
	struct where where;
	/* The field, record or entry inside the object: "recs[17].startblock"; may be empty. */
	char field[48];
	char found[FINDING_TEXT];
	char expected[FINDING_TEXT];
};

/* Collects what rules raise about one object. */
struct verdict {
	void (*raise)(struct verdict *v, const struct finding *finding);
	struct where where;
	bool unsealed;	     /* the object is being changed: its checksum is not current */
	enum severity worst; /* of all that was raised */
	u32 count;
	void *sink;
};

/* The number of raised findings that an object keeps; more are counted and dropped. */
#define VERDICT_MAX 64

static inline bool verdict_bad(const struct verdict *v)
{
	return v->worst >= SEVERITY_DISAGREES;
}

/* field may be NULL. */
void raise_u64(struct verdict *v, const struct finding_def *def, const char *field, u64 found,
	       u64 expected);
void raise_hex(struct verdict *v, const struct finding_def *def, const char *field, u64 found,
	       u64 expected);
/* found only, a number; the text of the row says what is wrong with it. */
void raise_value(struct verdict *v, const struct finding_def *def, const char *field, u64 found);
/* found and expected as text; either may be NULL or cut. */
void raise_text(struct verdict *v, const struct finding_def *def, const char *field,
		const char *found, const char *expected);

/* Writes "recs[17]". Rules do so for every record of a block, so it costs next to nothing. */
#define FIELD_INDEX_TEXT 48
const char *field_index(char text[FIELD_INDEX_TEXT], const char *part, u32 index);

/* `agi 3 (sector 6291458): length is 262145, geometry says 262144 [AGI_LENGTH]` */
void finding_print(const struct finding *finding, char *text, size_t size);
const char *severity_name(enum severity severity);

#endif
