/* SPDX-License-Identifier: MIT */
/*
 * Connecting. libpq looks names up with getaddrinfo(3), which would block the loop: so it is given
 * addresses. A host with several of them becomes several hosts of the same name, which libpq tries
 * in turn, and against which it still checks the server's certificate.
 */

#include "client.h"

#include <corail/dns.h>

#include <poll.h>
#include <stdlib.h>

enum { ADDRESSES_MAX = 8 };

/* The lists that libpq takes: one entry for each address of each host, separated by commas. */
struct targets {
	cr_buf hosts, addresses, ports;
	bool resolved; /* at least one name was looked up */
};

static const char *option_of(const PQconninfoOption *options, const char *keyword)
{
	for (; options && options->keyword; options++)
		if (strcmp(options->keyword, keyword) == 0)
			return options->val && *options->val ? options->val : NULL;
	return NULL;
}

static int append(cr_buf *list, const char *text, size_t size)
{
	int r = list->size > 0 || list->data ? cr_buf_append(list, ",", 1) : 0;

	return r < 0 ? r : cr_buf_append(list, text, size);
}

static int add_target(struct targets *targets, const char *host, size_t host_size,
                      const char *address, const char *port, size_t port_size)
{
	int r = append(&targets->hosts, host, host_size);

	if (r == 0)
		r = append(&targets->addresses, address, strlen(address));
	return r < 0 ? r : append(&targets->ports, port, port_size);
}

/* One host of the list: as it is when it is a path or no name, else once for each address. */
static int resolve(struct targets *targets, const char *host, size_t host_size, const char *port,
                   size_t port_size)
{
	cr_dns_address found[ADDRESSES_MAX];
	char name[256], text[CORAIL_ADDR_TEXT_SIZE], *end;
	int count, r = 0;

	if (host_size == 0 || *host == '/' || *host == '@')
		return add_target(targets, host, host_size, "", port, port_size);
	if (host_size >= sizeof name)
		return -CORAIL_E_DNS_BADNAME;
	memcpy(name, host, host_size);
	name[host_size] = '\0';
	count = cr_dns_lookup(name, AF_UNSPEC, found, ADDRESSES_MAX);
	if (count < 0)
		return count;
	targets->resolved = true;
	for (int i = 0; r == 0 && i < count; i++) {
		r = cr_addr_format(&found[i].addr, text, sizeof text);
		if (r < 0)
			return r;
		/* libpq takes bare addresses: "127.0.0.1:0" and "[::1]:0" without their ports. */
		end = strrchr(text, ':');
		if (*text == '[')
			end--;
		*end = '\0';
		r = add_target(targets, host, host_size, *text == '[' ? text + 1 : text, port,
		               port_size);
	}
	return r;
}

/* The next of a list separated by commas: its length, and past it. */
static size_t next_of(const char **list)
{
	size_t size = strcspn(*list, ",");

	*list += size + ((*list)[size] == ',');
	return size;
}

/*
 * One host's failure does not matter while another's name has addresses; the last failure is told
 * when there is none.
 */
static int resolve_all(struct targets *targets, const char *hosts, const char *ports)
{
	bool one_port = !strchr(ports, ',');
	bool more = true;
	int error = 0;

	while (more) {
		const char *host = hosts, *port = ports;
		size_t host_size = next_of(&hosts), port_size;
		int r;

		more = hosts > host + host_size;
		port_size = one_port ? strlen(ports) : next_of(&ports);
		r = resolve(targets, host, host_size, port, port_size);
		if (r == -ECANCELED || r == -ENOMEM)
			return r;
		if (r < 0)
			error = r;
	}
	return targets->hosts.data ? 0 : error;
}

/* What the target does not say may be said by the environment or a service file. */
static int resolve_target(struct targets *targets, const PQconninfoOption *own, cr_sql_error *error)
{
	PQconninfoOption *defaults = PQconndefaults();
	const char *host = option_of(own, "host"), *address = option_of(own, "hostaddr");
	const char *port = option_of(own, "port");
	int r = 0;

	host = host ? host : option_of(defaults, "host");
	address = address ? address : option_of(defaults, "hostaddr");
	port = port ? port : option_of(defaults, "port");
	if (host && !address)
		r = resolve_all(targets, host, port ? port : "");
	if (r < 0)
		cr__pg_error_set(error, r, NULL);
	PQconninfoFree(defaults);
	return r;
}

static void targets_free(struct targets *targets)
{
	cr_buf_free(&targets->hosts);
	cr_buf_free(&targets->addresses);
	cr_buf_free(&targets->ports);
}

/* Later keywords win over earlier ones; the first is the whole target, which libpq expands. */
static PGconn *start(const cr_pg *pg, const struct targets *targets)
{
	const char *keywords[6] = {"dbname", "fallback_application_name"};
	const char *values[6] = {pg->target, "corail"};

	if (targets->resolved) {
		keywords[2] = "host";
		values[2] = targets->hosts.data;
		keywords[3] = "hostaddr";
		values[3] = targets->addresses.data;
		keywords[4] = "port";
		values[4] = targets->ports.data;
	}
	return PQconnectStartParams(keywords, values, 1);
}

/*
 * While it dials, libpq may close its socket and open another in its place: the loop must not
 * remember anything of the old one, which may have had the same number.
 */
static int dial(PGconn *link)
{
	for (;;) {
		PostgresPollingStatusType status = PQconnectPoll(link);
		int r, fd = PQsocket(link);

		if (status == PGRES_POLLING_OK)
			return 0;
		if (status == PGRES_POLLING_FAILED || fd < 0)
			return -CORAIL_E_SQL_CONNECTION;
		r = cr_fd_poll(fd, status == PGRES_POLLING_WRITING ? POLLOUT : POLLIN);
		cr_fd_forget(fd);
		if (r < 0)
			return r;
	}
}

/*
 * libpq says why in words only: before there is a connection no SQLSTATE can be asked for. Servers
 * translate their sentences; the ones looked for are libpq's own, and those of SQLSTATE class 53
 * and 28 in English.
 */
static int reason(const PGconn *link)
{
	static const struct {
		const char *words;
		int error;
	} reasons[] = {
		{"too many clients", -CORAIL_E_SQL_LIMIT},
		{"too many connections", -CORAIL_E_SQL_LIMIT},
		{"remaining connection slots", -CORAIL_E_SQL_LIMIT},
		{"authentication failed", -CORAIL_E_SQL_LOGIN},
		{"no pg_hba.conf entry", -CORAIL_E_SQL_LOGIN},
		{"no password supplied", -CORAIL_E_SQL_LOGIN},
		{"role \"", -CORAIL_E_SQL_LOGIN},
		{"database \"", -CORAIL_E_SQL_SYNTAX},
		{"certificate", -CORAIL_E_TLS_CERTIFICATE},
	};
	static const int numbers[] = {ECONNREFUSED, ENOENT, EAGAIN, EHOSTUNREACH, ENETUNREACH};
	const char *message = PQerrorMessage(link);
	char text[128];

	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (strstr(message, reasons[i].words))
			return reasons[i].error;
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (strstr(message, strerror_r(numbers[i], text, sizeof text)))
			return -numbers[i];
	return -CORAIL_E_SQL_CONNECTION;
}

static int try(const cr_pg *pg, const struct targets *targets, PGconn **ret_link,
               cr_sql_error *error)
{
	PGconn *link = start(pg, targets);
	int r = !link ? -ENOMEM : PQstatus(link) == CONNECTION_BAD ? reason(link) : dial(link);

	if (r == -CORAIL_E_SQL_CONNECTION)
		r = reason(link);
	if (r == 0) {
		*ret_link = link;
		return 0;
	}
	cr__pg_error_set(error, r, link ? PQerrorMessage(link) : NULL);
	PQfinish(link);
	return r;
}

/*
 * A Unix socket whose backlog is full gives EAGAIN to who does not block (connect(2)), and nothing
 * tells when there is room: so it is tried again, until the caller's deadline.
 */
static int connect_link(cr_pg *pg, PGconn **ret_link, cr_sql_error *error)
{
	const cr_nsec pause_max = cr_millis(100);
	struct targets targets = {0};
	char *message = NULL;
	PQconninfoOption *own = PQconninfoParse(pg->target, &message);
	cr_nsec pause = cr_millis(1);
	int r = own ? resolve_target(&targets, own, error) : -EINVAL;

	if (r == 0)
		r = try(pg, &targets, ret_link, error);
	while (r == -EAGAIN) {
		r = cr_sleep(pause);
		pause = 2 * pause < pause_max ? 2 * pause : pause_max;
		if (r == 0)
			r = try(pg, &targets, ret_link, error);
	}
	PQconninfoFree(own);
	PQfreemem(message);
	targets_free(&targets);
	return r;
}

/*
 * A server that ends a connection which asks for nothing says so as if it were a notice: class 57P
 * (PostgreSQL manual, 55.2.9).
 */
static void on_notice(void *arg, const PGresult *result)
{
	cr_pg_conn *conn = arg;
	const cr_pg_options *options = &conn->pg->options;
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	if (sqlstate && strncmp(sqlstate, "57P", 3) == 0)
		conn->broken = true;
	if (options->notice)
		options->notice(options->notice_arg, PQresultErrorMessage(result));
}

int cr__pg_connect(cr_pg *pg, cr_pg_conn **ret_conn, cr_sql_error *error)
{
	cr_pg_conn *conn = calloc(1, sizeof *conn);
	int r = conn ? connect_link(pg, &conn->link, error) : -ENOMEM;

	if (r < 0) {
		free(conn);
		return r;
	}
	conn->pg = pg;
	conn->opened = cr_now();
	conn->statements.count_max = pg->options.no_prepare ? 0 : pg->options.statement_count_max;
	PQsetNoticeReceiver(conn->link, on_notice, conn);
	pg->opened++;
	r = PQsetnonblocking(conn->link, 1) < 0 ? -ENOMEM : 0;
	if (r == 0 && pg->init)
		r = cr_pg_conn_script(conn, pg->init);
	if (r < 0) {
		*error = conn->error;
		cr__pg_disconnect(conn);
		return r;
	}
	*ret_conn = conn;
	return 0;
}

void cr__pg_disconnect(cr_pg_conn *conn)
{
	int fd = PQsocket(conn->link);

	if (fd >= 0)
		cr_fd_forget(fd);
	PQfinish(conn->link);
	cr__pg_rows_clear(&conn->row);
	cr__pg_statements_free(&conn->statements);
	PQfreemem(conn->copied);
	PQfreemem(conn->notification);
	free(conn);
}

int cr_pg_conn_backend_pid(const cr_pg_conn *conn)
{
	return PQbackendPID(conn->link);
}
