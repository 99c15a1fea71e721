/* SPDX-License-Identifier: MIT */
#ifndef CORAIL_TESTS_SUPPORT_LOAD_H
#define CORAIL_TESTS_SUPPORT_LOAD_H

/*
 * Clients that keep asking while their server goes away and comes back, and what server.bash has
 * given to make it do so. A test goes from one to the next of what all of them have seen:
 *
 *	load_begin(&load, &scope, ask, db);
 *	load_until(&load, LOAD_ANSWERED);
 *	load_control(getenv("..._CTL"), "stop");
 *	load_until(&load, LOAD_FAILED);
 */

#include <corail/exec.h>
#include <corail/task.h>

#include "test.h"

#include <stdbool.h>

enum { LOAD_CLIENTS = 8 };

enum load_answer {
	LOAD_ANSWERED,
	LOAD_FAILED,
};

struct load {
	/* Asks once: 0, or an error that the want of a server may cause, and no other. */
	int (*ask)(void *db);
	void *db;
	bool over;
	struct load_client {
		struct load *load;
		int seen[2]; /* how many answers of each kind */
	} clients[LOAD_CLIENTS];
};

static inline int load_client(struct load_client *c)
{
	while (!c->load->over) {
		int r = c->load->ask(c->load->db);

		c->seen[r < 0 ? LOAD_FAILED : LOAD_ANSWERED]++;
		if (r < 0)
			CHECK_EQ(cr_sleep(cr_millis(5)), 0);
	}
	return 0;
}

/* `load` and `db` must live as long as the scope, which ends after load_end(). */
static inline void load_begin(struct load *load, cr_scope *scope, int (*ask)(void *db), void *db)
{
	*load = (struct load){.ask = ask, .db = db};
	for (int i = 0; i < LOAD_CLIENTS; i++) {
		load->clients[i].load = load;
		cr_spawn(scope, load_client, &load->clients[i]);
	}
}

/* Until each of them has had one more such answer. */
static inline void load_until(const struct load *load, enum load_answer answer)
{
	for (int i = 0; i < LOAD_CLIENTS; i++) {
		int before = load->clients[i].seen[answer];

		while (load->clients[i].seen[answer] == before)
			CHECK_EQ(cr_sleep(cr_millis(1)), 0);
	}
}

static inline void load_end(struct load *load)
{
	load->over = true;
}

static inline int load_system(char *command)
{
	return system(command) == 0 ? 0 : -EIO;
}

/* Has the server's control program do something, on a thread. */
static inline void load_control(const char *program, const char *verb)
{
	char command[512];

	CHECK(program != NULL);
	snprintf(command, sizeof command, "%s %s >/dev/null 2>&1", program, verb);
	CHECK_EQ(cr_offload(load_system, &command[0]), 0);
}

#endif
