/* SPDX-License-Identifier: MIT */
#include "exec/symbols.h"

#include "base/report.h"
#include "task/debug.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#if __has_include(<elfutils/libdwfl.h>)
#define HAVE_LIBDW 1
#include <elfutils/libdwfl.h>
#else
#define HAVE_LIBDW 0
#endif

/* The call that an address stands for is just before it. */
static uintptr_t call_of(void *frame)
{
	return (uintptr_t)frame - 1;
}

/* ---------------------------------------------------------------------------------- dladdr --- */

static bool in_library(const Dl_info *info, const struct link_map *map)
{
	Dl_info own;

	if (!map->l_prev)
		return false;
	return !dladdr(&cr__watchdog_hooks, &own) || own.dli_fbase != info->dli_fbase;
}

static void find_by_dladdr(void *frame, struct cr__symbol *symbol)
{
	uintptr_t address = call_of(frame);
	struct link_map *map = NULL;
	const char *file;
	Dl_info info;

	memset(symbol, 0, sizeof *symbol);
	if (!dladdr1((void *)address, &info, (void **)&map, RTLD_DL_LINKMAP) || !map)
		return;
	symbol->library = in_library(&info, map);
	if (info.dli_sname)
		snprintf(symbol->name, sizeof symbol->name, "%s", info.dli_sname);
	file = info.dli_fname ? strrchr(info.dli_fname, '/') : NULL;
	snprintf(symbol->place, sizeof symbol->place, "%s+%#lx",
	         file ? file + 1 : (info.dli_fname ? info.dli_fname : "?"),
	         (unsigned long)(address - map->l_addr));
}

/* ----------------------------------------------------------------------------------- libdw --- */

#if HAVE_LIBDW

#define LIBDW_FUNCTIONS(X)                                                                         \
	X(dwfl_begin)                                                                              \
	X(dwfl_end)                                                                                \
	X(dwfl_linux_proc_report)                                                                  \
	X(dwfl_linux_proc_find_elf)                                                                \
	X(dwfl_report_end)                                                                         \
	X(dwfl_addrmodule)                                                                         \
	X(dwfl_module_addrname)                                                                    \
	X(dwfl_module_getsrc)                                                                      \
	X(dwfl_lineinfo)

#define DECLARE(name) static __typeof__(&name) p_##name;
LIBDW_FUNCTIONS(DECLARE)
#undef DECLARE

static pthread_once_t libdw_once = PTHREAD_ONCE_INIT;
static bool libdw_there;

static void libdw_load(void)
{
	void *library = dlopen("libdw.so.1", RTLD_NOW | RTLD_LOCAL);

	libdw_there = library != NULL;
#define LOAD(name)                                                                                 \
	if (libdw_there)                                                                           \
		libdw_there = (*(void **)&p_##name = dlsym(library, #name)) != NULL;
	LIBDW_FUNCTIONS(LOAD)
#undef LOAD
}

/* Debug information of its own file or none: the usual search may ask servers for it. */
static int no_other_file(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base,
                         const char *file, const char *link, GElf_Word sum, char **ret_file)
{
	(void)module;
	(void)userdata;
	(void)name;
	(void)base;
	(void)file;
	(void)link;
	(void)sum;
	(void)ret_file;
	return -1;
}

static void find_by_libdw(Dwfl *dwfl, void *frame, struct cr__symbol *symbol)
{
	Dwfl_Module *module = p_dwfl_addrmodule(dwfl, call_of(frame));
	const char *name, *file, *short_file;
	Dwfl_Line *source;
	int number;

	if (!module)
		return;
	name = p_dwfl_module_addrname(module, call_of(frame));
	if (name)
		snprintf(symbol->name, sizeof symbol->name, "%s", name);
	source = p_dwfl_module_getsrc(module, call_of(frame));
	file = source ? p_dwfl_lineinfo(source, NULL, &number, NULL, NULL, NULL) : NULL;
	if (!file)
		return;
	short_file = strrchr(file, '/');
	snprintf(symbol->place, sizeof symbol->place, "%s:%d", short_file ? short_file + 1 : file,
	         number);
}

static void find_all_by_libdw(void *const *frames, size_t count, struct cr__symbol *symbols)
{
	Dwfl_Callbacks callbacks = {.find_debuginfo = no_other_file};
	Dwfl *dwfl;

	pthread_once(&libdw_once, libdw_load);
	if (!libdw_there)
		return;
	callbacks.find_elf = p_dwfl_linux_proc_find_elf;
	dwfl = p_dwfl_begin(&callbacks);
	if (!dwfl)
		return;
	if (p_dwfl_linux_proc_report(dwfl, getpid()) == 0 &&
	    p_dwfl_report_end(dwfl, NULL, NULL) == 0)
		for (size_t i = 0; i < count; i++)
			find_by_libdw(dwfl, frames[i], &symbols[i]);
	p_dwfl_end(dwfl);
}

#else

static void find_all_by_libdw(void *const *frames, size_t count, struct cr__symbol *symbols)
{
	(void)frames;
	(void)count;
	(void)symbols;
}

#endif

/* ------------------------------------------------------------------------------------ both --- */

void cr__symbols_find(void *const *frames, size_t count, bool own_stack, struct cr__symbol *symbols)
{
	for (size_t i = 0; i < count; i++)
		find_by_dladdr(frames[i], &symbols[i]);
	if (!own_stack)
		find_all_by_libdw(frames, count, symbols);
}

static bool begins(const struct cr__symbol *symbol, const char *text)
{
	return strncmp(symbol->name, text, strlen(text)) == 0;
}

void cr__symbols_add(struct cr__report *report, const struct cr__symbol *symbols, size_t count)
{
	size_t first = 0, number = 0;

	for (size_t i = 0; i < count && i < 8 && !begins(&symbols[i], "cr__ctx_"); i++)
		if (begins(&symbols[i], "cr__"))
			first = i + 1;
	for (size_t i = first < count ? first : 0; i < count; i++) {
		const struct cr__symbol *symbol = &symbols[i];

		if (begins(symbol, "cr__ctx_"))
			break;
		cr__report_add(report, "corail:   #%zu %s", number++,
		               symbol->name[0] ? symbol->name : "?");
		if (symbol->place[0])
			cr__report_add(report, " at %s", symbol->place);
		cr__report_line(report);
	}
}
