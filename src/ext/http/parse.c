/* SPDX-License-Identifier: MIT */
/*
 * Bytes to heads and bodies, by llhttp. What llhttp lets pass and RFC 9112 does not want on a
 * server that may stand behind a proxy is refused here on top: bare CR or LF, folded lines, two
 * framings, a transfer coding that is not "chunked", control characters in values, a missing or
 * doubled Host.
 */

#include "field.h"
#include "server.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Bytes of framing that a body may have beyond sixteen for each byte of it. */
#define FRAMING_MAX 65536

static struct link *link_of(llhttp_t *parser)
{
	return parser->data;
}

static int refuse(struct link *link, int status)
{
	if (!link->refusal)
		link->refusal = status;
	return HPE_USER;
}

static int add_text(struct link *link, const char *data, size_t size)
{
	return cr_buf_append(&link->head.text, data, size) < 0 ? refuse(link, 500) : 0;
}

/* Ends the text that is being collected; the next one begins after its zero. */
static int end_text(struct link *link, uint32_t *offset)
{
	*offset = link->head.mark;
	if (add_text(link, "", 1))
		return HPE_USER;
	link->head.mark = (uint32_t)link->head.text.size;
	return 0;
}

/* -------------------------------------------------------------------------------- callbacks --- */

static int on_url(llhttp_t *parser, const char *data, size_t size)
{
	struct link *link = link_of(parser);

	if (link->head.text.size + size > link->server->options.target_size_max)
		return refuse(link, 414);
	return add_text(link, data, size);
}

static int on_url_complete(llhttp_t *parser)
{
	struct link *link = link_of(parser);

	return end_text(link, &link->head.target);
}

/* Trailers come through the same callbacks; they are not kept, but must be well-formed. */
static int on_name(llhttp_t *parser, const char *data, size_t size)
{
	struct link *link = link_of(parser);

	if (!link->head.complete)
		return add_text(link, data, size);
	link->trailer_named |= size > 0;
	return cr__http_is_token_of(data, size) ? 0 : refuse(link, 400);
}

static int on_text(llhttp_t *parser, const char *data, size_t size)
{
	struct link *link = link_of(parser);

	return link->head.complete ? 0 : add_text(link, data, size);
}

static int on_name_complete(llhttp_t *parser)
{
	struct link *link = link_of(parser);
	struct head *head = &link->head;

	if (head->complete) {
		if (!link->trailer_named)
			return refuse(link, 400);
		link->trailer_named = false;
		return 0;
	}
	if (head->field_count >= link->server->options.header_count_max)
		return refuse(link, 431);
	if (head->field_count == head->field_room) {
		size_t room = head->field_room ? 2 * head->field_room : 16;
		struct field *fields = realloc(head->fields, room * sizeof *fields);

		if (!fields)
			return refuse(link, 500);
		head->fields = fields;
		head->field_room = room;
	}
	return end_text(link, &head->fields[head->field_count].name);
}

static int on_value_complete(llhttp_t *parser)
{
	struct link *link = link_of(parser);
	struct head *head = &link->head;

	if (head->complete)
		return 0;
	/* Blanks at the end are not part of the value: RFC 9112, section 5. */
	while (head->text.size > head->mark && strchr(" \t", head->text.data[head->text.size - 1]))
		head->text.data[--head->text.size] = 0;
	return end_text(link, &head->fields[head->field_count++].value);
}

/* What the headers say about the body and the connection, checked. Returns 0 or a status. */
static int check_fields(struct head *head)
{
	size_t hosts = 0, lengths = 0, codings = 0;
	const char *coding = NULL;

	for (size_t i = 0; i < head->field_count; i++) {
		const char *name = head->text.data + head->fields[i].name;
		const char *value = head->text.data + head->fields[i].value;

		if (!cr__http_is_token(name) || !cr__http_is_value(value))
			return 400;
		if (strcasecmp(name, "Host") == 0 && (++hosts > 1 || !cr__http_is_host(value)))
			return 400;
		lengths += strcasecmp(name, "Content-Length") == 0;
		if (strcasecmp(name, "Transfer-Encoding") == 0) {
			codings++;
			coding = value;
		}
		if (strcasecmp(name, "Expect") == 0) {
			if (strcasecmp(value, "100-continue") != 0)
				return 417;
			head->expects = head->minor >= 1;
		}
	}
	if (hosts == 0 && head->minor >= 1)
		return 400;
	if (lengths > 1 || codings > 1 || (lengths && codings) || (codings && head->minor == 0))
		return 400;
	if (coding && strcasecmp(coding, "chunked") != 0)
		return 501;
	head->length = coding ? -1 : 0;
	return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
	struct link *link = link_of(parser);
	struct head *head = &link->head;
	int status;

	head->complete = true;
	head->method = llhttp_method_name((llhttp_method_t)parser->method);
	head->minor = parser->http_minor;
	head->keep_alive = llhttp_should_keep_alive(parser);
	/* Nothing is upgraded here: the header is ignored, as it may be (RFC 9110, section 7.8). */
	parser->upgrade = 0;
	if (parser->http_major != 1)
		return refuse(link, 505);
	if (parser->method == HTTP_CONNECT)
		return refuse(link, 501);
	status = check_fields(head);
	if (status == 0)
		status = cr__http_target_parse(head);
	if (status == 0 && head->length == 0) {
		uint64_t length = parser->flags & F_CONTENT_LENGTH ? parser->content_length : 0;

		if (length > link->server->options.body_size_max || length > INT64_MAX)
			status = 413;
		head->length = (int64_t)length;
	}
	return status ? refuse(link, status) : HPE_PAUSED;
}

static int on_body(llhttp_t *parser, const char *data, size_t size)
{
	struct link *link = link_of(parser);

	link->piece = data;
	link->piece_size = size;
	link->body_size += size;
	if (link->body_size > link->server->options.body_size_max)
		return refuse(link, 413);
	return HPE_PAUSED;
}

static int on_message_complete(llhttp_t *parser)
{
	link_of(parser)->message_done = true;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_url = on_url,
	.on_url_complete = on_url_complete,
	.on_header_field = on_name,
	.on_header_field_complete = on_name_complete,
	.on_header_value = on_text,
	.on_header_value_complete = on_value_complete,
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_message_complete = on_message_complete,
};

/* ------------------------------------------------------------------------------------ parse --- */

void cr__http_parse_begin(struct link *link)
{
	llhttp_init(&link->parser, HTTP_REQUEST, &settings);
	link->parser.data = link;
}

void cr__http_parse_next(struct link *link)
{
	struct head *head = &link->head;

	cr_buf_clear(&head->text);
	*head = (struct head){.text = head->text,
	                      .fields = head->fields,
	                      .field_room = head->field_room};
	llhttp_reset(&link->parser);
	link->piece = NULL;
	link->piece_size = 0;
	link->body_size = link->framing = 0;
	link->last = 0;
	link->spaces = link->protocol = 0;
	link->begun = link->line_over = link->message_done = false;
	link->after_data = link->trailer_named = false;
	link->refusal = 0;
}

void cr__http_parse_end(struct link *link)
{
	cr_buf_free(&link->head.text);
	free(link->head.fields);
}

/*
 * The request line: two single spaces, none at its ends, and a version of HTTP (RFC 9112, section
 * 3). llhttp knows other protocols, too.
 */
static bool request_line_is_good(struct link *link, char last, char c)
{
	static const char protocol[] = "HTTP/";

	if (c == '\r')
		return link->spaces == 2 && last != ' ';
	if (c == ' ')
		return last != ' ' && last != '\n' && last != 0 && ++link->spaces <= 2;
	if (link->spaces == 2 && protocol[link->protocol] && protocol[link->protocol++] != c)
		return false;
	return c != '\t';
}

/*
 * Lines end in CRLF and nowhere else, and no header's may begin with a blank (a folded line: RFC
 * 9112, section 5.2). Empty lines before the request line are skipped, as section 2.2 allows.
 */
static bool lines_are_good(struct link *link, const char *data, size_t size)
{
	char last = link->last;

	for (size_t i = 0; i < size; i++) {
		char c = data[i];

		if (c == 0 || (c == '\n') != (last == '\r'))
			return false;
		link->begun |= c != '\r' && c != '\n';
		if (link->line_over) {
			if (last == '\n' && (c == ' ' || c == '\t'))
				return false;
		} else if (link->begun) {
			link->line_over = c == '\n';
			if (!request_line_is_good(link, last, c))
				return false;
		}
		last = c;
	}
	link->last = last;
	return true;
}

/*
 * What stands around the pieces of a chunked body: CRLF right behind each, and lines that end in
 * CRLF and nowhere else. Where llhttp takes any two bytes for the end of a line, another server on
 * the way may see the end of the request somewhere else.
 */
static bool framing_is_good(struct link *link, const char *data, size_t size)
{
	char last = link->last;

	for (size_t i = 0; i < size; i++) {
		char c = data[i];

		if (link->after_data && c != '\r')
			return false;
		if (c == 0 || (c == '\n') != (last == '\r'))
			return false;
		if (last == '\n' && (c == ' ' || c == '\t'))
			return false;
		link->after_data = false;
		last = c;
	}
	link->last = last;
	return true;
}

/* What to say to a request that llhttp does not accept. */
static int status_of(struct link *link, llhttp_errno_t error, const char *begin)
{
	const char *end = link->input + link->end, *p = begin;

	if (link->refusal)
		return link->refusal;
	if (error == HPE_INVALID_VERSION &&
	    !strcmp(llhttp_get_error_reason(&link->parser), "Invalid HTTP version"))
		return 505;
	if (error != HPE_INVALID_METHOD || link->head.size > 0)
		return 400;
	/* A method that nobody knows, or no method at all? */
	while (p < end && ((*p >= 'A' && *p <= 'Z') || *p == '-'))
		p++;
	return p > begin && p < end && *p == ' ' ? 501 : 400;
}

/* What was consumed of a head. Returns 0, or the status to refuse it with. */
static int head_check(struct link *link, llhttp_errno_t error, const char *begin, size_t consumed)
{
	if (!lines_are_good(link, begin, consumed))
		return 400;
	if (error != HPE_OK)
		return status_of(link, error, begin);
	link->head.size += consumed;
	return link->head.size > link->server->options.head_size_max ? 431 : 0;
}

/* The same for a body: a piece ends what is consumed at once. */
static int body_check(struct link *link, llhttp_errno_t error, const char *begin, size_t consumed)
{
	const size_t framing = link->piece ? (size_t)(link->piece - begin) : consumed;

	if (!framing_is_good(link, begin, framing))
		return 400;
	if (error != HPE_OK)
		return status_of(link, error, begin);
	if (link->piece) {
		link->after_data = true;
		link->last = 0;
	}
	link->framing += framing;
	return link->framing > FRAMING_MAX + 16 * link->body_size ? 400 : 0;
}

int cr__http_parse(struct link *link)
{
	const char *begin = link->input + link->start;
	bool in_head = !link->head.complete;
	llhttp_errno_t error;
	size_t consumed;
	int status;

	link->piece = NULL;
	error = llhttp_execute(&link->parser, begin, link->end - link->start);
	consumed = link->end - link->start;
	if (error != HPE_OK)
		consumed = (size_t)(llhttp_get_error_pos(&link->parser) - begin);
	if (error == HPE_PAUSED) {
		llhttp_resume(&link->parser);
		error = HPE_OK;
	}
	status = in_head ? head_check(link, error, begin, consumed)
	                 : body_check(link, error, begin, consumed);
	if (status) {
		link->refusal = status;
		link->piece_size = 0;
		return -CORAIL_E_HTTP_PROTOCOL;
	}
	link->start += consumed;
	return 0;
}

ssize_t cr__http_fill(struct link *link, cr_nsec patience)
{
	ssize_t n;

	if (link->start == link->end)
		link->start = link->end = 0;
	n = cr_timeout(patience, cr_conn_read(link->conn, link->input + link->end,
	                                      sizeof link->input - link->end));
	if (n > 0)
		link->end += (size_t)n;
	return n == -ETIMEDOUT ? -ETIME : n;
}
