/* SPDX-License-Identifier: MIT */
#include "exec/processes.h"

#include "base/alloc.h"

#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <string.h>

/*
 * Which functions workers know. A pointer to a function means the same in a worker as long as what
 * it lies in was loaded, at that place, when the zygote was made: what was loaded later is not in
 * the workers, and something else may be there.
 */

struct text {
	uintptr_t from, to;
	uint64_t name; /* a digest: another library may have come to the same place */
};

static struct {
	pthread_mutex_t lock;
	struct text *texts;
	size_t count, room;
	unsigned long long unloaded; /* how often something had been, when we last looked */
	uintptr_t known[16];         /* functions that were looked up */
} here = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Segments with code: calls each() until it returns non-zero, which is the result. */
struct visit {
	int (*each)(const struct text *text, void *arg);
	void *arg;
	unsigned long long unloaded;
};

/* FNV-1a */
static uint64_t digest(const char *text)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	while (text && *text)
		sum = (sum ^ (unsigned char)*text++) * UINT64_C(0x100000001b3);
	return sum;
}

static int visit_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct visit *visit = arg;
	int r = 0;

	(void)size;
	visit->unloaded = info->dlpi_subs;
	for (int i = 0; i < info->dlpi_phnum && r == 0; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		struct text text = {.name = digest(info->dlpi_name)};

		if (header->p_type != PT_LOAD || !(header->p_flags & PF_X))
			continue;
		text.from = info->dlpi_addr + header->p_vaddr;
		text.to = text.from + header->p_memsz;
		r = visit->each(&text, visit->arg);
	}
	return r;
}

static int note(const struct text *text, void *arg)
{
	(void)arg;
	if (here.count == here.room) {
		size_t room = here.room ? 2 * here.room : 32;
		struct text *texts = cr__realloc(here.texts, room * sizeof *texts);

		if (!texts)
			return -ENOMEM;
		here.texts = texts;
		here.room = room;
	}
	here.texts[here.count++] = *text;
	return 0;
}

int cr__text_note(void)
{
	struct visit visit = {.each = note};
	int r;

	pthread_mutex_lock(&here.lock);
	here.count = 0;
	memset(here.known, 0, sizeof here.known);
	r = dl_iterate_phdr(visit_object, &visit);
	here.unloaded = visit.unloaded;
	pthread_mutex_unlock(&here.lock);
	return r;
}

/* What lies there now: 1 if it is what was noted. */
static int compare(const struct text *text, void *arg)
{
	const uintptr_t address = *(const uintptr_t *)arg;

	if (address < text->from || address >= text->to)
		return 0;
	for (size_t i = 0; i < here.count; i++)
		if (memcmp(&here.texts[i], text, sizeof *text) == 0)
			return 1;
	return -1;
}

bool cr__text_known(cr__fn fn)
{
	uintptr_t address = (uintptr_t)fn;
	uintptr_t *known = &here.known[address / 16 % (sizeof here.known / sizeof *here.known)];
	struct visit visit = {.each = compare, .arg = &address};
	bool found;

	if (__atomic_load_n(known, __ATOMIC_RELAXED) == address)
		return true;
	pthread_mutex_lock(&here.lock);
	found = dl_iterate_phdr(visit_object, &visit) == 1;
	/* Not to be looked up again; but where things are unloaded, places change hands. */
	if (found && visit.unloaded == here.unloaded)
		__atomic_store_n(known, address, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&here.lock);
	return found;
}
