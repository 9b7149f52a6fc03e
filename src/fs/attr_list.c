/* A list of attributes in memory; see attr_build.h. */
#include "fs/attr_build.h"

#include "base/trail.h"

#include <errno.h>

void attr_list_open(struct env *env, struct attr_list *list)
{
	*list = (struct attr_list){.env = env};
	list->end = &list->first;
}

void attr_list_close(struct attr_list *list)
{
	while (list->first) {
		struct attr_item *item = list->first;

		list->first = item->next;
		env_free(list->env, item);
	}
	list->end = &list->first;
}

static u32 hash_of(const struct attr_item *item)
{
	const struct attr_slot slot = {.flags = item->flags,
				       .name = item->bytes,
				       .name_length = item->name_length,
				       .value = item->bytes + item->name_length,
				       .value_length = item->value_length};

	return attr_hash(&slot);
}

/* Room for an attribute, its value still zero. */
static int add_empty(struct attr_list *list, const struct attr *attr, struct attr_item **out)
{
	struct attr_item *item;
	u64 size = (u64)attr->name_length + attr->value_length;

	if (!attr->name_length || attr->name_length > ATTR_NAME_MAX ||
	    attr->value_length > ATTR_VALUE_MAX)
		return fail(-EUCLEAN, "an attribute with a name of %u and a value of %u bytes",
			    attr->name_length, attr->value_length);
	if (list->bytes + size > ATTR_LIST_BYTES_MAX)
		return fail(-EFBIG, "attributes of more than %u MiB", ATTR_LIST_BYTES_MAX >> 20);
	item = env_alloc(list->env, sizeof(*item) + size);
	if (!item)
		return fail(-ENOMEM, "attributes: out of memory");
	item->flags = attr->flags;
	item->name_length = attr->name_length;
	item->value_length = attr->value_length;
	memcpy(item->bytes, attr->name, attr->name_length);
	*list->end = item;
	list->end = &item->next;
	list->count++;
	list->bytes += size;
	*out = item;
	return 0;
}

int attr_list_add(struct attr_list *list, const struct attr *attr)
{
	struct attr_item *item;
	int err = add_empty(list, attr, &item);

	if (err)
		return err;
	if (attr->value_length)
		memcpy(item->bytes + item->name_length, attr->value, attr->value_length);
	item->hash = hash_of(item);
	return 0;
}

struct reading {
	struct attr_list *list;
	struct vol *vol;
	const struct inode *inode;
};

static int read_one(void *arg, const struct attr *attr)
{
	struct reading *r = arg;
	struct attr_item *item;
	s64 got;
	int err;

	if (attr->value || !attr->value_length)
		return attr_list_add(r->list, attr);
	err = add_empty(r->list, attr, &item);
	if (err)
		return err;
	item->hash = hash_of(item);
	got = attr_get(r->vol, r->inode, attr->flags, attr->name, attr->name_length,
		       item->bytes + item->name_length, item->value_length);
	if (got >= 0 && got != item->value_length)
		return fail(-EUCLEAN, "a remote value of %lld bytes, not %u", (long long)got,
			    item->value_length);
	return got < 0 ? (int)got : 0;
}

int attr_list_read(struct attr_list *list, struct vol *vol, const struct inode *inode)
{
	struct reading r = {list, vol, inode};

	return attr_each(vol, inode, read_one, &r);
}

static bool is_same(const struct attr_item *item, const struct attr *attr)
{
	if (item->flags != attr->flags || item->name_length != attr->name_length ||
	    memcmp(item->bytes, attr->name, attr->name_length))
		return false;
	return !(attr->flags & ATTR_PARENT) ||
	       (item->value_length == attr->value_length &&
		!memcmp(item->bytes + item->name_length, attr->value, attr->value_length));
}

bool attr_list_remove(struct attr_list *list, const struct attr *attr)
{
	for (struct attr_item **link = &list->first; *link; link = &(*link)->next) {
		struct attr_item *item = *link;

		if (!is_same(item, attr))
			continue;
		*link = item->next;
		if (list->end == &item->next)
			list->end = link;
		list->count--;
		list->bytes -= (u64)item->name_length + item->value_length;
		env_free(list->env, item);
		return true;
	}
	return false;
}
