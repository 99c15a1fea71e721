/* SPDX-License-Identifier: MIT */
/* ctest: needs=http */
/*
 * A fuzz target, see driver.h: one input is what one client sends to the HTTP server, in the
 * simulator. The first byte says how the rest is cut into pieces.
 */

#include "fuzz/driver.h"
#include "http/server_cases.h"

struct input {
	const uint8_t *data;
	size_t size;
};

static int converse(struct input *input)
{
	struct fixture f = {0};
	cr_buf answer = {0};
	struct site *site;
	size_t step = (size_t)input->data[0] * 4 + 1;
	cr_conn *conn;

	{
		CORAIL_SCOPE(scope);
		f.scope = &scope;
		site = site_open(&f, NULL, serve_cases, NULL);
		conn = dial(site);
		for (size_t at = 1; at < input->size; at += step) {
			size_t size = input->size - at < step ? input->size - at : step;

			if (cr_conn_write(conn, input->data + at, size) < 0)
				break;
			cr_yield();
		}
		(void)cr_conn_shutdown_write(conn);
		read_rest(conn, &answer);
		CHECK(answer.size == 0 || status_in(&answer) > 0);
		cr_conn_close(conn);
		cr_scope_cancel(&scope);
	}
	cr_http_server_close(site->server);
	cr_listener_close(site->listener);
	cr_buf_free(&answer);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const cr_options options = {.backend = CORAIL_BACKEND_SIM};
	struct input input = {data, size};

	if (size < 2)
		return 0;
	CHECK_EQ(cr_run_with(&options, converse, &input), 0);
	return 0;
}

FUZZ_MAIN("http_server");
